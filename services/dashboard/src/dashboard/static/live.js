// The page follows the runs: when the server says that something happened, the part that changes is fetched anew.
(() => {
  const region = document.getElementById("live");
  if (!region || !window.EventSource) return;
  let due = null;
  const refresh = async () => {
    due = null;
    if (region.contains(document.activeElement) && document.activeElement.matches("input, select")) return;
    const answer = await fetch(location.pathname, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    if (fresh) region.replaceChildren(...fresh.childNodes);
  };
  const source = new EventSource("/api/stream");
  source.addEventListener("change", () => { if (due === null) due = setTimeout(refresh, 800); });
  addEventListener("pagehide", () => source.close());
})();
