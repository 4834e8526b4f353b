// Starts Swagger UI in the colours of the device. Without deep links: it puts them into buttons, where a screen reader does not find them.
(() => {
  "use strict";

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();
  window.ui = SwaggerUIBundle({ url: document.getElementById("docs").dataset.schema, dom_id: "#docs", persistAuthorization: false });
})();
