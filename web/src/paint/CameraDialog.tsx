import { useEffect, useRef, useState } from "react";
import { closeDialog, type Put } from "../state/view";
import { t } from "../text";
import { Dialog } from "../ui/Dialog";
import { hand } from "./usePainter";
import "./camera.css";

/** Taking a picture with a camera. It is on for as long as the dialog is open. */
export default function CameraDialog({ put }: { put: Put }) {
  const video = useRef<HTMLVideoElement>(null);
  const [ready, setReady] = useState(false);
  const [trouble, setTrouble] = useState("");
  const [cameras, setCameras] = useState<readonly MediaDeviceInfo[]>([]);
  const [wanted, setWanted] = useState<string>();

  useEffect(() => {
    let stream: MediaStream | undefined;
    let gone = false;
    const stop = () => {
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
    const open = async () => {
      // browsers give cameras to pages from this machine or over HTTPS alone
      if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
      const size = { width: { ideal: 1920 }, height: { ideal: 1080 } };
      stream = await navigator.mediaDevices.getUserMedia({
        video: wanted === undefined ? size : { ...size, deviceId: { exact: wanted } },
      });
      if (gone) return stop();
      const found = await navigator.mediaDevices.enumerateDevices();
      setCameras(found.filter((each) => each.kind === "videoinput"));
      if (video.current) video.current.srcObject = stream;
    };
    open().catch((error: unknown) => {
      const name = error instanceof DOMException ? error.name : "";
      if (name === "NotAllowedError") setTrouble(t.camera.denied);
      else if (name === "NotFoundError" || name === "OverconstrainedError") setTrouble(t.camera.none);
      else if (name === "SecurityError") setTrouble(t.camera.insecure);
      else setTrouble(`${t.camera.failed} ${error instanceof Error ? error.message : ""}`);
    });
    return () => {
      gone = true;
      stop();
    };
  }, [wanted]);

  const take = () => {
    const from = video.current;
    if (!from) return;
    const canvas = document.createElement("canvas");
    canvas.width = from.videoWidth;
    canvas.height = from.videoHeight;
    canvas.getContext("2d")?.drawImage(from, 0, 0);
    void hand(canvas, put);
  };
  return (
    <Dialog label={t.camera.label} className="camera" headed onClose={closeDialog}>
      {trouble ? (
        <p role="alert">{trouble}</p>
      ) : (
        <video ref={video} autoPlay playsInline muted aria-label={t.camera.sees} onPlaying={() => setReady(true)} />
      )}
      <div className="dialog-foot">
        {cameras.length > 1 && (
          <select
            aria-label={t.camera.which}
            value={wanted ?? cameras[0]?.deviceId}
            onChange={(event) => setWanted(event.target.value)}
          >
            {cameras.map((each, i) => (
              <option key={each.deviceId} value={each.deviceId}>
                {each.label || `${t.camera.which} ${i + 1}`}
              </option>
            ))}
          </select>
        )}
        <button type="button" className="button" onClick={closeDialog}>
          {t.paint.cancel}
        </button>
        <button type="button" className="button primary" disabled={!ready || trouble !== ""} onClick={take}>
          {t.camera.take}
        </button>
      </div>
    </Dialog>
  );
}
