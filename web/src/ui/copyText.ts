import { complain, inform } from "../state/view";
import { t } from "../text";

/** Put a text on the clipboard, and say whether the browser let it. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // browsers give the clipboard to this machine's own pages or over HTTPS alone, but let a selection be copied
    const area = document.createElement("textarea");
    area.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) {
      complain(t.files.notCopied);
      return;
    }
  }
  inform(t.files.copied);
}
