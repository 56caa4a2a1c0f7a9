// Sets the theme before the page is drawn, so that nothing flashes.
{
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => { try { return localStorage.getItem("impasto.theme"); } catch { return null; } };
  const apply = () => { document.documentElement.dataset.theme = chosen() || (dark.matches ? "dark" : "light"); };
  dark.addEventListener("change", apply);
  apply();
}
