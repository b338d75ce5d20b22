// Tables: a click on a heading sorts, a button copies the exact values as CSV.
"use strict";

/** An element with attributes and children, for all scripts of the page. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const valueOf = (row, column) => row.cells[column].dataset.value;

function compare(a, b, numeric) {
  if (a === "" || b === "") return 0;
  return numeric ? Number(a) - Number(b) : a.localeCompare(b, "en");
}

function sortBy(heading) {
  const table = heading.closest("table");
  const body = table.tBodies[0];
  const direction = heading.ariaSort === "ascending" ? -1 : 1;
  const numeric = heading.classList.contains("number");
  const column = heading.cellIndex;
  const rows = [...body.rows].sort((x, y) => {
    const [a, b] = [valueOf(x, column), valueOf(y, column)];
    // what is missing stays last, whichever way the rest is sorted
    return (a === "") - (b === "") || direction * compare(a, b, numeric);
  });
  body.append(...rows);
  for (const other of table.tHead.rows[0].cells) other.ariaSort = "none";
  heading.ariaSort = direction === 1 ? "ascending" : "descending";
}

function csvOf(table) {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const names = [...table.tHead.rows[0].cells].map((cell) => cell.dataset.name);
  const rows = [...table.rows].slice(1).map((row) => [...row.cells].map((c) => c.dataset.value));
  return [names, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // a page opened from a file may not use the clipboard directly
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

for (const heading of document.querySelectorAll("th[aria-sort]")) {
  heading.querySelector("button").addEventListener("click", () => sortBy(heading));
}

for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    await copy(csvOf(button.closest("figure").querySelector("table")));
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy CSV"), 1500);
  });
}

// on paper everything is open
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
