import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.NODEGRAPH_URL ?? "http://127.0.0.1:8288";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../nodegraph/server/static",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
    rolldownOptions: {
      output: {
        // what the page begins with packs smaller in one piece than in the many that its later parts share with it
        codeSplitting: {
          groups: [
            {
              name: "start",
              test: /node_modules\/(?!@dagrejs)|src\/(\w+\.tsx|api|canvas\/(?!svg|graphPng|Compared|contextMenu|Knife|Minimap)|commands\/[a-z](?!opying)|panels\/(Panel|ResultsPanel)|state\/(?!pasting)|ui\/(?!Picker|Dialog|Chooser)|widgets|text\/en)/,
            },
          ],
        },
      },
    },
  },
  server: { proxy: { "/api": server } },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
});
