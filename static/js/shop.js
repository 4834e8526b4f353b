// Small comforts on top of pages that work without them: copy buttons, count-downs.
(() => {
  "use strict";

  const pad = (number) => String(number).padStart(2, "0");

  function showTimeLeft(clock) {
    const seconds = Math.max(0, Math.round((new Date(clock.dateTime) - Date.now()) / 1000));
    clock.textContent = seconds ? `${Math.floor(seconds / 60)}:${pad(seconds % 60)}` : "The time is up.";
  }

  function tick() {
    document.querySelectorAll("time[data-countdown]").forEach(showTimeLeft);
  }

  async function copy(button) {
    const source = document.querySelector(button.dataset.copy);
    if (!source) return;
    const words = button.innerHTML;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = "Copied";
      button.classList.add("is-copied");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => {
      button.innerHTML = words;
      button.classList.remove("is-copied");
    }, 2000);
  }

  function offerCopying(root) {
    root.querySelectorAll("[data-copy][hidden]").forEach((button) => {
      button.hidden = false;
    });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });
  document.addEventListener("htmx:afterSwap", () => {
    offerCopying(document);
    tick();
  });

  offerCopying(document);
  tick();
  setInterval(tick, 1000);
})();
