/*
 * Light or dark: the system's wish unless the reader chose otherwise, and the choice is remembered.
 *
 * A classic script in the head and no module, because it must run before the first paint.
 */
(() => {
  const key = 'tidings-theme';
  const systemDark = window.matchMedia('(prefers-color-scheme: dark)');
  const root = document.documentElement;

  const remembered = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      // Storage can be forbidden; then the choice lasts as long as the page.
      return null;
    }
  };

  const remember = (theme) => {
    try {
      if (theme) localStorage.setItem(key, theme);
      else localStorage.removeItem(key);
    } catch {
      // As above.
    }
  };

  const choice = remembered();
  if (choice === 'light' || choice === 'dark') root.dataset.theme = choice;

  const current = () => root.dataset.theme ?? (systemDark.matches ? 'dark' : 'light');

  const label = (button) => {
    const other = current() === 'dark' ? 'light' : 'dark';
    button.setAttribute('aria-label', `Switch to ${other} colours`);
    button.title = `Switch to ${other} colours`;
    button.dataset.shows = current();
  };

  const toggle = () => {
    const theme = current() === 'dark' ? 'light' : 'dark';
    // Choosing what the system wants anyway is to follow the system again.
    const follows = theme === (systemDark.matches ? 'dark' : 'light');
    if (follows) delete root.dataset.theme;
    else root.dataset.theme = theme;
    remember(follows ? null : theme);
  };

  document.addEventListener('DOMContentLoaded', () => {
    const button = document.querySelector('[data-theme-toggle]');
    if (!button) return;
    button.hidden = false;
    label(button);
    systemDark.addEventListener('change', () => label(button));
    button.addEventListener('click', () => {
      toggle();
      label(button);
    });
  });
})();
