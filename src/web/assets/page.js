// Everything works without this. It copies texts, and filters tables that are on the page already.
"use strict";

// What a button says for a moment is not told to those who do not see it: this is.
const told = document.createElement("p");
told.setAttribute("role", "status");
told.className = "unseen";
document.body.append(told);

// Hides the rows of a table that do not hold all words, or are not meant, and tells how many are left.
function rowsOf(table) {
  const rows = [...document.querySelectorAll(`#${table} tbody tr`)];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const shown = document.querySelector(`[data-shown="${table}"]`);
  return (text, isMeant = () => true) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const fit = rows.filter((row, at) => {
      row.hidden = !isMeant(row) || !words.every((word) => texts[at].includes(word));
      return !row.hidden;
    });
    if (shown) shown.textContent = `${fit.length} of ${rows.length}`;
  };
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = "Copied";
    } catch {
      // Where the browser does not allow it, the keyboard does.
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
    told.textContent = button.textContent;
    setTimeout(() => { button.textContent = label; told.textContent = ""; }, 1500);
  });
}

for (const input of document.querySelectorAll("input[data-filter]")) {
  const show = rowsOf(input.dataset.filter);
  input.closest(".filter").hidden = false;
  input.addEventListener("input", () => show(input.value));
}

// What the form asks the gate for, at once: all rows are on the page.
for (const form of document.querySelectorAll("form[data-filter]")) {
  const table = form.dataset.filter;
  const {filter, severity} = form.elements;
  const links = document.querySelectorAll(`a[data-filtered="${table}"]`);
  const show = rowsOf(table);
  form.addEventListener("input", () => {
    show(filter.value, (row) => !severity.value || row.dataset.severity === severity.value);
    for (const link of links) {
      const page = new URL(link.href);
      for (const field of [filter, severity]) {
        if (field.value) page.searchParams.set(field.name, field.value);
        else page.searchParams.delete(field.name);
      }
      link.href = page.href;
    }
  });
}
