// Copy buttons, countdowns, − and + at a quantity, and what is said when a request fails.
// All pages work without them; their words come from the page, in its language.
(() => {
  "use strict";

  const DOUBLE_CLICK_MS = 3000;
  const SLOW_POLLING_MS = 30000;
  const words = document.body.dataset;
  const pad = (number) => String(number).padStart(2, "0");

  function showTimeLeft(clock) {
    const seconds = Math.max(0, Math.round((new Date(clock.dateTime) - Date.now()) / 1000));
    clock.textContent = seconds ? `${Math.floor(seconds / 60)}:${pad(seconds % 60)}` : words.timeIsUp;
  }

  function tick() {
    document.querySelectorAll("time[data-countdown]").forEach(showTimeLeft);
  }

  async function copy(button) {
    const source = document.querySelector(button.dataset.copy);
    if (!source || "copied" in button.dataset) return; // says so already
    const label = button.innerHTML;
    button.dataset.copied = "";
    try {
      await navigator.clipboard.writeText(source.dataset.plain ?? source.textContent.trim());
      button.textContent = words.copied;
      button.classList.add("is-copied");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      button.textContent = words.pressCopy;
    }
    setTimeout(() => {
      button.innerHTML = label;
      button.classList.remove("is-copied");
      delete button.dataset.copied;
    }, 2000);
  }

  function offerCopying(root) {
    root.querySelectorAll("[data-copy][hidden], [data-print][hidden]").forEach((button) => {
      button.hidden = false;
    });
  }

  function makeStepperButton(input, sign, label) {
    const button = document.createElement("button");
    button.type = "button";
    button.id = `${input.id}${sign}`;
    button.className = "stepper__button";
    button.textContent = sign;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", () => {
      if (sign === "+") input.stepUp();
      else input.stepDown();
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
    return button;
  }

  function offerSteppers(root) {
    root.querySelectorAll("input[type=number][name^=quantity]").forEach((input) => {
      if (input.parentElement.classList.contains("stepper")) return;
      const stepper = document.createElement("span");
      stepper.className = "stepper";
      const less = makeStepperButton(input, "−", words.oneLess);
      const more = makeStepperButton(input, "+", words.oneMore);
      const setLimits = () => {
        less.disabled = input.min !== "" && Number(input.value) <= Number(input.min);
        more.disabled = input.max !== "" && Number(input.value) >= Number(input.max);
      };
      input.replaceWith(stepper);
      stepper.append(less, input, more);
      input.addEventListener("input", setLimits);
      setLimits();
    });
  }

  const wide = window.matchMedia("(min-width: 60rem)");

  function openFacets(root) {
    root.querySelectorAll("details.facets").forEach((facets) => {
      facets.open = wide.matches;
    });
  }

  function showTrouble(text) {
    let trouble = document.getElementById("trouble");
    if (!trouble) {
      trouble = document.createElement("p");
      trouble.id = "trouble";
      trouble.className = "alert alert--danger";
      trouble.setAttribute("role", "alert");
      document.body.append(trouble);
    }
    if (trouble.textContent !== text) trouble.textContent = text;
  }

  function hideTrouble() {
    document.getElementById("trouble")?.remove();
  }

  // A swap replaces what had the focus. It goes to the same element in the new part, or to the one that tells what happened.
  let focused = "";

  function rememberFocus(event) {
    if (event.detail.target.contains(document.activeElement)) focused = document.activeElement.id;
  }

  function restoreFocus(target) {
    if (!focused || document.activeElement !== document.body) return;
    const same = document.getElementById(focused);
    const next = target.id === "cart" ? (document.getElementById("cart-undo") ?? document.getElementById("cart-title")) : null;
    (same && !same.disabled ? same : document.getElementById(focused.replace(/[+−]$/, "")) ?? next)?.focus();
  }

  // A swap between press and release would take the pressed button away, and the click with it. Such an answer is shown after the click.
  let pressed = null;
  let showLate = null;

  function waitForRelease(event) {
    const { elt, target, xhr } = event.detail;
    if (!pressed || !target.contains(pressed) || !event.detail.shouldSwap) return;
    event.detail.shouldSwap = false;
    const swapStyle = elt.closest("[hx-swap]")?.getAttribute("hx-swap") ?? "innerHTML";
    showLate = () => {
      const isObsolete = !target.isConnected || target.querySelector("#cart-form[data-edited]"); // the click changed a quantity
      if (!isObsolete) htmx.swap(target, xhr.response, { swapStyle });
    };
  }

  function release() {
    pressed = null;
    setTimeout(() => {
      showLate?.();
      showLate = null;
    });
  }

  function closeSuggestions() {
    document.getElementById("suggestions")?.replaceChildren();
  }

  // A stream tells when the live part of a page has changed. While it is open, polling is slow; when it is refused or breaks, polling
  // goes on as without it. A hidden page polls, because a browser opens few connections to a server for all its tabs together.
  let stream = null;
  let askedAt = 0;

  function followChanges() {
    const address = document.hidden ? "" : document.querySelector("[data-stream]")?.dataset.stream;
    if (address && stream?.address === address && stream.readyState !== EventSource.CLOSED) return;
    stream?.close();
    stream = null;
    if (!address) return;
    stream = new EventSource(address);
    stream.address = address;
    stream.addEventListener("change", () => {
      document.querySelectorAll("[data-stream]").forEach((live) => htmx.trigger(live, "live"));
    });
  }

  function slowDownPolling(event) {
    const { elt, triggeringEvent } = event.detail;
    if (!("stream" in elt.dataset)) return;
    const isPolling = !triggeringEvent;
    const isFollowed = stream?.readyState === EventSource.OPEN;
    if (isPolling && isFollowed && Date.now() < askedAt + SLOW_POLLING_MS) event.preventDefault();
    else askedAt = Date.now();
  }

  document.addEventListener("visibilitychange", followChanges);
  document.addEventListener("htmx:configRequest", slowDownPolling);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    if (event.target.closest("[data-print]")) window.print();
    if (!event.target.closest(".site-header__search")) closeSuggestions();
  });
  document.addEventListener("pointerdown", (event) => {
    pressed = event.target;
  });
  document.addEventListener("pointerup", release);
  document.addEventListener("pointercancel", release);
  document.addEventListener("focusin", (event) => {
    if (!event.target.closest(".site-header__search")) closeSuggestions();
  });
  document.addEventListener("keydown", (event) => {
    const search = event.target.closest?.(".site-header__search");
    if (!search) return;
    if (event.key === "Escape") {
      closeSuggestions();
      document.getElementById("site-search").focus();
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const stops = [document.getElementById("site-search"), ...search.querySelectorAll("#suggestions a")];
    const next = stops.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1);
    if (!stops.includes(event.target) || !stops[next]) return;
    event.preventDefault();
    stops[next].focus();
  });
  document.addEventListener("submit", (event) => {
    const { dataset } = event.target;
    if (!("once" in dataset)) return;
    // A second press at once is a double click. A later one is meant: the first was stopped, or the page was left and opened by Back.
    if (event.timeStamp - (dataset.once || -Infinity) < DOUBLE_CLICK_MS) event.preventDefault();
    else dataset.once = event.timeStamp;
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });
  wide.addEventListener("change", () => openFacets(document));
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    const isPage = xhr.getResponseHeader("Content-Type")?.startsWith("text/html");
    if (xhr.status === 429 && isPage) event.detail.shouldSwap = true; // says what to do, unlike the pay page's text for programs
    waitForRelease(event);
    rememberFocus(event);
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    focused = "";
    rememberFocus(event); // a button that is disabled during the request loses it
    delete event.detail.elt.closest("#cart-form")?.dataset.edited;
  });
  document.addEventListener("input", (event) => {
    // An answer that comes now would overwrite what is being typed; the change sends a request of its own.
    const form = event.target.closest("#cart-form");
    if (!form) return;
    htmx.trigger(form, "htmx:abort");
    form.dataset.edited = "";
  });
  document.addEventListener("focusout", (event) => {
    // A box with the value that it had before sends no change, but the request for that value may have been aborted.
    const form = event.target.closest("#cart-form");
    if (form && "edited" in form.dataset) form.dispatchEvent(new Event("change"));
  });
  document.addEventListener("htmx:sendError", (event) => showTrouble(event.detail.elt.dataset.offline ?? words.offline));
  document.addEventListener("htmx:timeout", (event) => showTrouble(event.detail.elt.dataset.offline ?? words.offline));
  document.addEventListener("htmx:responseError", (event) => {
    const { xhr } = event.detail;
    const isText = xhr.getResponseHeader("Content-Type")?.startsWith("text/plain");
    if (xhr.status !== 429) showTrouble(words.failed);
    else if (isText) showTrouble(xhr.responseText);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) hideTrouble();
  });
  window.addEventListener("online", () => {
    if (document.getElementById("trouble")) document.getElementById("cart-form")?.dispatchEvent(new Event("change"));
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "found") openFacets(document);
    offerCopying(document);
    offerSteppers(document);
    restoreFocus(event.target);
    followChanges();
    tick();
  });

  offerCopying(document);
  offerSteppers(document);
  document.querySelector("main [aria-invalid=true]")?.focus();
  openFacets(document);
  followChanges();
  tick();
  setInterval(tick, 1000);
})();
