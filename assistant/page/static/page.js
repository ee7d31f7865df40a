// The page's script: opens cited sentences, copies references, sorts the case table, saves files, shows titles on the
// map, keeps the last question visible, labels controls for screen readers, and switches between light and dark.
(() => {
  const NOTICE_MS = 2000;
  const POLL_MS = 100;
  const THEME_KEY = "casecite-theme";
  let opener = null; // the citation that was followed last, for “Back to the answer”

  function reveal(target) {
    for (const group of document.querySelectorAll(".evidence-group")) {
      group.hidden = !group.contains(target);
    }
    const details = target.closest("details") ?? target.querySelector("details");
    if (details) details.open = true;
    const chat = document.getElementById("chat").getBoundingClientRect();
    const isNextToChat = target.getBoundingClientRect().left >= chat.right; // on a phone the evidence is below the chat
    const isReducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    target.scrollIntoView({ block: isNextToChat ? "nearest" : "center", behavior: isReducedMotion ? "auto" : "smooth" });
    target.focus({ preventScroll: true });
  }

  // Scroll a new question to the top of the chat while its answer comes, until the user scrolls.
  function followQuestions() {
    const chat = document.getElementById("chat");
    if (!chat) return setTimeout(followQuestions, POLL_MS); // Gradio has not rendered it yet
    let [known, isFollowing] = [0, false];
    const letGo = () => { isFollowing = false; };
    for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) chat.addEventListener(kind, letGo, { passive: true });
    new MutationObserver(() => {
      const asked = chat.querySelectorAll(".user-row");
      if (asked.length > known) isFollowing = true;
      known = asked.length;
      if (!isFollowing || !known) return;
      const list = chat.querySelector(".panel-wrap");
      if (list.scrollHeight > list.clientHeight) {
        list.scrollTop += asked[known - 1].getBoundingClientRect().top - list.getBoundingClientRect().top;
      } else if (asked[known - 1].getBoundingClientRect().top < 0 || known > 1) {
        asked[known - 1].scrollIntoView({ block: "start" }); // on a phone it is the page that scrolls
      }
    }).observe(chat, { childList: true, subtree: true, characterData: true });
  }

  function announce(button, notice) {
    const label = button.textContent;
    button.textContent = notice;
    setTimeout(() => { button.textContent = label; }, NOTICE_MS);
  }

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      announce(button, "Copied");
    } catch { // the clipboard needs HTTPS or localhost
      window.prompt("Copy this citation", button.dataset.copy);
    }
  }

  function sort(button) {
    const header = button.closest("th");
    const table = header.closest("table");
    const place = [...header.parentNode.children].indexOf(header);
    const isAscending = header.getAttribute("aria-sort") !== "ascending";
    const valueOf = (row) => row.children[place].dataset.value ?? "";
    const compare = (one, other) => {
      const [a, b] = [valueOf(one), valueOf(other)];
      if (!a || !b) return a ? -1 : b ? 1 : 0; // empty cells last
      return (isAscending ? 1 : -1) * a.localeCompare(b, undefined, { numeric: true });
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort(compare));
    for (const other of header.parentNode.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", isAscending ? "ascending" : "descending");
  }

  function save(file) {
    if (!file) return;
    const bytes = Uint8Array.from(atob(file.base64), (letter) => letter.charCodeAt(0));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: file.type }));
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), NOTICE_MS);
  }

  function switchTheme() {
    const isDark = document.body.classList.toggle("dark");
    localStorage.setItem(THEME_KEY, isDark ? "dark" : "light");
  }

  function restoreTheme() {
    const chosen = localStorage.getItem(THEME_KEY);
    if (chosen) document.body.classList.toggle("dark", chosen === "dark");
  }

  function showTitle(dot) {
    const title = document.getElementById("corpus-map")?.querySelector(".map-title");
    if (title) title.textContent = dot.dataset.title;
  }

  // The nearest dot within 45 degrees of the arrow's direction.
  function findNext(dots, from, key) {
    const [dx, dy] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[key];
    const at = (dot) => [dot.cx.baseVal.value, dot.cy.baseVal.value];
    const [x, y] = at(from);
    let [best, least] = [null, Infinity];
    for (const dot of dots) {
      const [toX, toY] = [at(dot)[0] - x, at(dot)[1] - y];
      const [ahead, aside] = [toX * dx + toY * dy, Math.abs(toX * dy) + Math.abs(toY * dx)];
      if (ahead > 0 && aside <= ahead && ahead + aside < least) [best, least] = [dot, ahead + aside];
    }
    return best;
  }

  document.addEventListener("keydown", (event) => {
    const map = event.target.closest?.(".corpus-map");
    if (!map || !event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const dots = map.querySelectorAll("circle");
    const next = event.target === map ? dots[0] : findNext(dots, event.target, event.key);
    if (next) { next.focus(); showTitle(next); }
  });

  document.addEventListener("mouseover", (event) => {
    if (event.target.matches?.(".corpus-map circle")) showTitle(event.target);
  });

  document.addEventListener("click", (event) => {
    const clicked = event.target.closest?.('a[href^="#cite-"], button.copy, button.back, button.sort');
    if (!clicked) return;
    event.preventDefault();
    if (clicked.matches("a")) {
      const target = document.getElementById(decodeURIComponent(clicked.hash.slice(1)));
      if (target) { opener = clicked; reveal(target); }
    } else if (clicked.matches(".copy")) copy(clicked);
    else if (clicked.matches(".sort")) sort(clicked);
    else if (opener) { opener.scrollIntoView({ block: "center" }); opener.focus(); }
  }, true);

  // Add labels, roles and expanded states that Gradio's controls lack.
  function labelControls() {
    const set = (selector, name, value) => {
      for (const element of document.querySelectorAll(selector)) element.setAttribute(name, value);
    };
    set('[data-testid="submit-button"]:not([aria-label])', "aria-label", "Ask");
    set('[data-testid="stop-button"]:not([aria-label])', "aria-label", "Stop");
    set('.examples[role="list"]', "role", "group");
    set(".label-wrap.open", "aria-expanded", "true");
    set(".label-wrap:not(.open)", "aria-expanded", "false");
  }

  new MutationObserver(labelControls).observe(document, {
    childList: true, subtree: true, attributes: true, attributeFilter: ["class"],
  });
  followQuestions();
  window.casecite = { save, switchTheme, restoreTheme };
})();
