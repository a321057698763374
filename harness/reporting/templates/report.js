"use strict";
// Click a heading to sort its table; cells carry the number behind their text in data-value.
for (const heading of document.querySelectorAll("table.sortable th")) {
  const button = heading.querySelector("button");
  button?.addEventListener("click", () => {
    const table = heading.closest("table");
    const column = [...heading.parentElement.children].indexOf(heading);
    const descending = heading.getAttribute("aria-sort") === "ascending";
    const key = (row) => row.children[column].dataset.value ?? row.children[column].textContent.trim();
    const compare = (a, b) => {
      const [left, right] = [key(a), key(b)];
      if (left === "" || right === "") return (left === "") - (right === "");
      const numbers = Number(left) - Number(right);
      const order = Number.isNaN(numbers) ? left.localeCompare(right) : numbers;
      return descending ? -order : order;
    };
    for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  });
}
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      // A page opened from disk may not be allowed to write: select it, so that one key press copies.
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
  });
}
// A link into a folded part opens it.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.closest("details");
  if (folded) folded.open = true;
}
addEventListener("hashchange", unfold);
unfold();
