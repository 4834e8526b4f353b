/* For keyboards and screen readers: what Django's own pages and scripts leave out. Its scripts run first, some when jQuery is ready. */

addEventListener("load", () => {
  if (window.django?.jQuery) django.jQuery(mend);
  else mend();
});
addEventListener("resize", reachTables);

function mend() {
  for (const tip of document.querySelectorAll(".help-tooltip[aria-label]")) tip.setAttribute("role", "img");
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const [label] = select.labels;
    const field = select.parentElement.querySelector("[role=combobox]");
    const value = field?.querySelector("[role=textbox]");
    if (!label || !value) continue;
    label.id ||= `${select.id}-label`;
    field.setAttribute("aria-labelledby", `${label.id} ${value.id}`);
    value.setAttribute("aria-labelledby", label.id);
  }
  reachTables();
}

/* A table that is wider than the screen can be scrolled with the keyboard, if nothing in it takes the focus anyway. */
const STOPS = "a, button, input:not([type=hidden]), select, textarea";

function reachTables() {
  for (const box of document.querySelectorAll(".inline-group .tabular, #changelist .results")) {
    const hasStop = [...box.querySelectorAll(STOPS)].some((element) => element.checkVisibility());
    if (box.scrollWidth > box.clientWidth && !hasStop) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
