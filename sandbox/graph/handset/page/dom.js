/** Elements without markup strings: text is always text, so nothing that arrives can become code. */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * h('p', {class: 'x', onclick: f}, 'text', child, null): attributes, listeners (on*), dataset by data-*.
 * A value of null, undefined or false leaves the attribute out.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false)
      continue;
    if (name.startsWith('on'))
      element.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked' || name === 'disabled')
      element[name] = value;
    else
      element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const PATHS = {
  plus: 'M12 5v14M5 12h14', back: 'M15 5l-7 7 7 7', send: 'M4 12l16-7-6 16-3-7z', clip: 'M20 11l-8.500 8.500a5 5 0 0 1-7-7L13 4a3.500 3.500 0 0 1 5 5l-8.500 8.500a2 2 0 0 1-3-3L14 7',
  close: 'M6 6l12 12M18 6L6 18', more: 'M12 6v.01M12 12v.01M12 18v.01', reply: 'M9 8L4 13l5 5M4 13h10a6 6 0 0 1 6 6', copy: 'M9 9h10v11H9zM5 15V4h10',
  info: 'M12 11v6M12 7.500v.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z', list: 'M8 6h12M8 12h12M8 18h12M4 6v.01M4 12v.01M4 18v.01', link: 'M14 5h5v5M19 5l-8 8M11 6H5v13h13v-6',
  phone: 'M6 3h4l2 5-2.500 1.500a11 11 0 0 0 5 5L16 12l5 2v4a2 2 0 0 1-2 2A16 16 0 0 1 4 5a2 2 0 0 1 2-2z', pin: 'M12 21s7-6.500 7-12a7 7 0 1 0-14 0c0 5.500 7 12 7 12zM12 11.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z',
  file: 'M7 3h7l5 5v13H7zM14 3v5h5', image: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.500 9.500v.01', video: 'M4 6h11v12H4zM15 10l5-3v10l-5-3', audio: 'M9 18a3 3 0 1 1-3-3h3zM9 15V5l10-2v12M19 15a3 3 0 1 1-3-3h3',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21a8 8 0 0 1 16 0', check: 'M5 12.500l4.500 4.500L19 7', clock: 'M12 7v5l3 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z', warn: 'M12 4l9 16H3zM12 10v4M12 17v.01',
  chevron: 'M7 10l5 5 5-5', sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500L19 19M19 5l-1.500 1.500M6.500 17.500L5 19', moon: 'M20 14A8.500 8.500 0 0 1 10 4a8.500 8.500 0 1 0 10 10z',
  log: 'M4 5h16v14H4zM8 9h8M8 13h8M8 16h4', cart: 'M4 5h2l2 10h9l2-7H7M9 20v.01M17 20v.01', smile: 'M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0zM8.500 14.500a4.500 4.500 0 0 0 7 0M9 9.500v.01M15 9.500v.01', chat: 'M4 5h16v11H9l-5 4z',
  key: 'M14 10a4 4 0 1 0-4 4l2-1 2 2h2v2h2v2h2v-3z', down: 'M12 5v14M6 13l6 6 6-6', trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13', refresh: 'M20 11a8 8 0 1 0-2 6M20 5v6h-6',
};

/** A picture beside words: hidden from screen readers. */
export function icon(name, size = '') {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', `icon ${size}`);
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name] ?? PATHS.info);
  svg.append(path);
  return svg;
}

/** One tick, two, or two blue ones, with the word for those who do not see them. */
export function ticks(state) {
  const words = { accepted: 'waiting', sent: 'sent', delivered: 'delivered', read: 'read', failed: 'failed' };
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 22 14');
  svg.setAttribute('class', `ticks ${state}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', words[state] ?? state);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', state === 'accepted' ? 'M11 3v4l3 2M17 7a6 6 0 1 1-12 0 6 6 0 0 1 12 0z' : state === 'failed' ? 'M11 2v6M11 11v.01'
    : state === 'sent' ? 'M6 7.500l3.500 3.500L17 3' : 'M1 7.500L4.500 11 12 3M9 10l1 1 7.500-8');
  svg.append(path);
  return svg;
}

/** Two letters and a steady colour for a name. */
export function avatar(name, key, size = '') {
  const letters = name.trim().split(/\s+/).filter((word) => /\p{L}/u.test(word)).slice(0, 2).map((word) => [...word][0].toUpperCase()).join('');
  const hue = [...key].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 6, 7);
  return h('span', { class: `avatar tone-${hue} ${size}`, 'aria-hidden': 'true' }, letters === '' ? icon('user') : letters);
}

export function toast(text, kind = '') {
  const element = h('div', { class: `toast ${kind}` }, text);
  document.getElementById('toasts').append(element);
  setTimeout(() => element.remove(), kind === 'bad' ? 6000 : 2500);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast('Copied');
  } catch {
    toast('The browser did not allow copying', 'bad');
  }
}
