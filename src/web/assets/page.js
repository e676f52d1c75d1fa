// Everything works without this. It copies texts, and filters tables that are on the page already.
"use strict";

// What a button says for a moment is not told to those who do not see it: this is.
const told = document.createElement("p");
told.setAttribute("role", "status");
told.className = "unseen";
document.body.append(told);

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
  const rows = [...document.querySelectorAll(`#${input.dataset.filter} tbody tr`)];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const shown = document.querySelector(`[data-shown="${input.dataset.filter}"]`);
  input.closest(".filter").hidden = false;
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, at) => {
      const fits = words.every((word) => texts[at].includes(word));
      row.hidden = !fits;
      count += fits ? 1 : 0;
    });
    if (shown) shown.textContent = `${count} of ${rows.length}`;
  });
}

// What the form asks the gate for, at once: all rows are on the page, and those that do not fit are hidden.
for (const form of document.querySelectorAll("form[data-filter]")) {
  const table = form.dataset.filter;
  const {filter, severity} = form.elements;
  const rows = [...document.querySelectorAll(`#${table} tbody tr`)];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const shown = document.querySelector(`[data-shown="${table}"]`);
  const links = document.querySelectorAll(`a[data-filtered="${table}"]`);
  form.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, at) => {
      const isAsBad = !severity.value || row.dataset.severity === severity.value;
      const fits = isAsBad && words.every((word) => texts[at].includes(word));
      row.hidden = !fits;
      count += fits ? 1 : 0;
    });
    shown.textContent = `${count} of ${rows.length}`;
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
