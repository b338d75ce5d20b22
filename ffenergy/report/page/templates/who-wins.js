// The map of the page: who spends less, for every chip, network and optimiser of its data.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("wins-data").textContent);
  const byId = (id) => document.getElementById(id);
  const state = {
    profile: data.profiles[0][0],
    network: data.own.network,
    optimizer: data.own.optimizer,
  };

  const memory = (size) => (size < 2 ** 20 ? `${size / 2 ** 10} KiB` : `${size / 2 ** 20} MiB`);
  const figure = (ratio) => ratio.toFixed(2);

  function cell(verdict, [ratio, low, high]) {
    const [told, , proven] = data.verdicts[verdict];
    const ends = low === high ? "" : ` (90 % of draws ${figure(low)}–${figure(high)})`;
    return element("td", {
      class: `number v${verdict}`, title: `${figure(ratio)}${ends}: ${told}`, "data-value": ratio, "data-verdict": verdict,
    }, `${figure(ratio)}${proven ? "*" : ""}`);
  }

  function show() {
    const { winner, ratio } = data.places[state.profile][state.network][state.optimizer];
    const across = data.sizes.length;
    const rows = data.batches.map((batch, row) => element("tr", {},
      element("th", { scope: "row", class: "number" }, batch.toLocaleString("en")),
      ...data.sizes.map((_, column) => {
        const place = row * across + column;
        return cell(Number(winner[place]), ratio[place]);
      })));
    const head = element("tr", {},
      element("th", { scope: "col", class: "number" }, "images a batch"),
      ...data.sizes.map((size) => element("th", { scope: "col", class: "number" }, memory(size))));
    byId("wins").replaceChildren(
      element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows.reverse())));
    byId("wins-network-text").textContent = state.network;
    byId("wins-network").setAttribute("aria-valuetext", state.network);
    const verdicts = [...winner].map((digit) => data.verdicts[digit]);
    const ours = verdicts.filter(([told]) => told.startsWith("FF"));
    const proven = ours.filter(([, , sure]) => sure).length;
    const optimizer = data.optimizers.find(([name]) => name === state.optimizer)[1];
    byId("wins-sentence").textContent =
      `Energy of Forward-Forward ÷ backprop, ${state.network}, ${optimizer}, under ${state.profile}: Forward-Forward spends less at ${ours.length} of ${winner.length} places, proven at ${proven}. Point at a figure for its interval.`;
  }

  // ---- controls --------------------------------------------------------------------------------

  for (const [name, title] of data.profiles) {
    byId("wins-profile").append(element("option", { value: name }, title));
  }
  byId("wins-profile").addEventListener("change", (event) => {
    state.profile = event.target.value;
    show();
  });
  const slider = byId("wins-network");
  slider.max = data.networks.length - 1;
  slider.value = data.networks.indexOf(state.network);
  slider.addEventListener("input", () => {
    state.network = data.networks[Number(slider.value)];
    show();
  });
  for (const [name, title] of data.optimizers) {
    const choice = element("input", { type: "radio", name: "wins-optimizer", value: name });
    choice.checked = name === state.optimizer;
    choice.addEventListener("change", () => {
      state.optimizer = name;
      show();
    });
    byId("wins-optimizers").append(element("label", {}, choice, title));
  }
  const met = new Set(Object.values(data.places).flatMap((networks) =>
    Object.values(networks).flatMap((optimizers) =>
      Object.values(optimizers).flatMap(({ winner }) => [...winner]))));
  byId("wins-key").append(...data.verdicts.flatMap(([told, colour, proven], verdict) =>
    met.has(String(verdict))
      ? [element("span", {}, element("i", { class: "swatch", style: `background:${colour}` }), `${told}${proven ? " *" : ""}`)]
      : []));
  for (const id of ["wins-controls", "wins", "wins-key"]) byId(id).hidden = false;
  show();
})();
