// A button that copies a text.

import { announce, make } from "./dom.js";

/** `label`: what it says while nothing was copied; `fallback` selects the text where there is no clipboard to write to. */
export function copyButton(text: () => string, label = "Copy", fallback?: () => void): HTMLButtonElement {
  const button = make("button", "plain copy", label);
  button.type = "button";
  const said = (words: string) => {
    button.textContent = words;
    announce(words);
    button.addEventListener("blur", () => (button.textContent = label), { once: true });
  };
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(text()).then(
      () => said("Copied"),
      () => {
        fallback?.();
        said(fallback ? "Selected: now press Ctrl+C" : "The browser forbids copying");
      },
    );
  });
  return button;
}
