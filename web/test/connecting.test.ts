import { describe, expect, it } from "vitest";
import type { Graph } from "../src/core/document";
import { addNode, connect, moveLinks } from "../src/core/edits";
import { bestInput, bestJoin, canConnect, fitOf, given } from "../src/core/fit";
import { fits, known, picture } from "./toy";

const at = (text: string) => {
  const [node = "", port = ""] = text.split(".");
  return { node, port };
};
const judge = (source: string, target: string, graph: Graph = picture) =>
  canConnect(graph, at(source), at(target), picture, known, fits);

describe("connection rules", () => {
  it("takes what the server's table says and nothing else", () => {
    expect(judge("decode.image", "save.image")).toEqual({ ok: true, fit: fits.Image?.Image });
    expect(judge("model.vae", "sample.model")).toEqual({
      ok: false,
      reason: { code: "type", target: at("sample.model"), needs: "Model", source: at("model.vae"), gives: "Vae" },
    });
    expect(fitOf(fits, "int", "float")?.how).toBe("int_to_float");
    expect(fitOf(fits, "float", "int")).toBeNull();
  });

  it("names the path of a circle", () => {
    const graph = addNode(picture, known.get("Invert") ?? never(), [0, 0]).graph;
    const ring = connect(
      connect(graph, at("decode.image"), at("invert.image"), false),
      at("invert.image"),
      at("save.image"),
      false,
    );
    const second = addNode(ring, known.get("Invert") ?? never(), [0, 0]).graph;
    const both = connect(second, at("invert.image"), at("invert_2.image"), false);
    expect(judge("invert_2.image", "invert.image", both)).toEqual({
      ok: false,
      reason: { code: "cycle", path: ["invert_2", "invert", "invert_2"] },
    });
    expect(judge("invert.image", "invert.image", both)).toMatchObject({ ok: false, reason: { code: "self" } });
  });

  it("lets a type variable stand for what its node is fed", () => {
    const graph = addNode(picture, known.get("Switch") ?? never(), [0, 0]).graph;
    expect(judge("switch.value", "save.image", graph)).toMatchObject({ ok: true });
    const fed = connect(graph, at("model.vae"), at("switch.yes"), false);
    expect(given(fed, at("switch.value"), picture, known)).toBe("Vae");
    expect(judge("switch.value", "save.image", fed)).toMatchObject({
      ok: false,
      reason: { code: "type", gives: "Vae" },
    });
  });

  it("prefers a required port to an exact one that is optional", () => {
    const type = known.get("Sample") ?? never();
    const [model, positive] = type.inputs;
    if (!model || !positive) throw new Error("Sample has lost its ports");
    const union = { ...positive, type: "Conditioning | Layout" };
    const negative = { ...positive, name: "negative", required: false };
    const table = {
      Conditioning: { ...fits.Conditioning, "Conditioning | Layout": { how: "same", mapped: false, lifted: false } },
    };
    expect(bestInput({ ...type, inputs: [model, negative, union] }, "Conditioning", table)).toBe("positive");
  });

  it("prefers an exact, free, required port", () => {
    expect(bestInput(known.get("Decode") ?? never(), "Latent", fits)).toBe("latent");
    expect(bestInput(known.get("Sample") ?? never(), "int", fits)).toBe("seed");
    expect(bestInput(known.get("Sample") ?? never(), "int", fits, new Set(["seed"]))).toBe("steps");
    expect(bestInput(known.get("Decode") ?? never(), "Image", fits)).toBeUndefined();
  });

  it("joins what is pulled onto a node to an open port, or to one of its name", () => {
    const onto = (from: string, node: string, side: "source" | "target" = "source") =>
      bestJoin(picture, at(from), side, node, picture, known, fits);
    expect(onto("decode.image", "save")?.target).toEqual(at("save.image"));
    expect(onto("save.image", "decode", "target")?.source).toEqual(at("decode.image"));
    expect(onto("model.vae", "save")).toBeUndefined();
    expect(onto("decode.image", "decode")).toBeUndefined();
    const type = known.get("Sample") ?? never();
    const [model, positive] = type.inputs;
    if (!model || !positive) throw new Error("Sample has lost its ports");
    const best = (names: string[], taken: string[] = []) => {
      const inputs = names.map((name) => ({ ...positive, name }));
      return bestInput({ ...type, inputs }, "Conditioning", fits, new Set(taken), "conditioning");
    };
    expect(best(["positive", "negative"])).toBe("positive");
    expect(best(["positive", "conditioning"])).toBe("conditioning");
    expect(best(["positive", "conditioning"], ["conditioning"])).toBe("positive");
    expect(best(["positive", "negative"], ["positive"])).toBe("negative");
  });

  it("moves every link of an output to another, in lists and over points too", () => {
    const second = addNode(picture, known.get("Invert") ?? never(), [0, 0]).graph;
    const list = addNode(second, known.get("Join") ?? never(), [0, 0]).graph;
    const one = connect(list, at("decode.image"), at("join.images"), true);
    const two = connect(one, at("invert.image"), at("join.images"), true);
    const led = { ...two, layout: { ...two.layout, reroutes: { "decode.image>save.image": [[1, 2] as const] } } };
    const moved = moveLinks(led, at("decode.image"), at("invert.image"));
    expect(moved.nodes.save?.inputs?.image).toEqual({ $from: "invert.image" });
    expect(moved.nodes.join?.inputs).toEqual({ images: [{ $from: "invert.image" }] });
    expect(moved.layout?.reroutes).toEqual({ "invert.image>save.image": [[1, 2]] });
    expect(moved.nodes.sample).toBe(led.nodes.sample);
  });
});

function never(): never {
  throw new Error("not in the catalogue");
}
