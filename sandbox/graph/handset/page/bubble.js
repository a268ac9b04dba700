/** One message as a person sees it. */
import { avatar, h, icon, ticks } from './dom.js';
import { formatted, fullTimeOf, sizeOf, timeOf } from './text.js';

/**
 * @param {any} message as the simulator gives it
 * @param {{tap: Function, pickList: Function, menu: Function, jump: Function}} on what a person can do with it
 */
export function bubble(message, on) {
  if (message.failure !== null && message.direction === 'out')
    return failureNote(message, on);
  const mine = message.direction === 'in';
  const isBare = message.type === 'sticker';
  const parts = CONTENT[message.type]?.(message, on) ?? unknown(message);
  const actions = buttonsOf(message, on);
  return h('li', { class: `row ${mine ? 'mine' : 'theirs'}`, 'data-id': message.id }, h('div', { class: 'pile' },
    h('article', { class: `bubble ${isBare ? 'bare' : ''} ${actions.length > 0 ? 'has-actions' : ''}`, 'aria-label': mine ? 'Your message' : 'Message from the business' },
      message.quoted === null ? null : quote(message.quoted, on),
      parts,
      h('footer', { class: 'meta' },
        message.type === 'template' ? h('span', { class: 'kind' }, `${(message.category ?? '').replace(/^./, (first) => first.toUpperCase())} template`) : null,
        h('time', { datetime: new Date(message.at).toISOString(), title: fullTimeOf(message.at) }, timeOf(message.at)),
        ticks(mine && message.status === 'accepted' ? 'sent' : message.status)),
      h('button', { class: 'icon-button menu-button', 'aria-label': 'Actions for this message', 'aria-haspopup': 'menu', onclick: (event) => on.menu(message, event.currentTarget) }, icon('chevron', 'small'))),
    actions.length > 0 ? h('div', { class: 'actions' }, actions) : null),
    message.reaction ? h('span', { class: 'reaction', title: 'Reaction' }, message.reaction) : null);
}

function failureNote(message, on) {
  const { code, title } = message.failure;
  return h('li', { class: 'row note', 'data-id': message.id },
    h('button', { class: 'note-card', onclick: (event) => on.menu(message, event.currentTarget) },
      icon('warn', 'small'), h('span', {}, h('strong', {}, `A ${message.type} did not arrive.`), ` ${title} `, h('code', {}, code))));
}

function quote(quoted, on) {
  return h('button', { class: `quote ${quoted.direction === 'in' ? 'own' : ''}`, onclick: () => on.jump(quoted.id) },
    h('strong', {}, quoted.direction === 'in' ? 'You' : 'Business'), h('span', {}, quoted.text));
}

const words = (text, className = 'words') => (text ? h('p', { class: className, dir: 'auto' }, formatted(text)) : null);

const CONTENT = {
  text: (message) => [words(message.content.body)],
  button: (message) => [words(message.content.text)],
  image: (message) => [picture(message.media), words(message.content.caption)],
  video: (message) => [film(message.media), words(message.content.caption)],
  audio: (message) => [message.media?.url ? h('audio', { class: 'audio', controls: true, src: message.media.url, preload: 'metadata' }) : absent('audio', 'Audio', message.media)],
  sticker: (message) => [message.media?.url ? h('img', { class: 'sticker', src: message.media.url, alt: 'Sticker' }) : absent('smile', 'Sticker', message.media)],
  document: (message) => [file(message.media, message.content.filename), words(message.content.caption)],
  location: (message) => [place(message.content)],
  contacts: (message) => message.content.map(card),
  interactive: (message) => interactive(message),
  template: (message) => template(message.view ?? { header: null, body: '', footer: '', buttons: [] }, message.media),
  order: (message) => [h('p', { class: 'words' }, icon('cart', 'small'), ` Order of ${message.content.product_items?.length ?? 0} products`), words(message.content.text)],
};

function unknown(message) {
  return [h('p', { class: 'words muted' }, `${message.type}: this page shows it under Details only.`)];
}

function picture(media) {
  return media?.url && media.mime_type?.startsWith('image/') ? h('a', { class: 'picture', href: media.url, target: '_blank', rel: 'noopener' }, h('img', { src: media.url, alt: media.filename ?? 'Photo', loading: 'lazy' }))
    : absent('image', 'Photo', media);
}

function film(media) {
  return media?.url ? h('video', { class: 'film', controls: true, src: media.url, preload: 'metadata' }) : absent('video', 'Video', media);
}

/** Media that lies elsewhere: this page fetches nothing from outside. */
function absent(name, label, media) {
  let host = 'not in the sandbox';
  try {
    host = media?.link ? new URL(media.link).host : host;
  } catch { /* keep the words */ }
  return h('div', { class: 'absent' }, icon(name), h('span', {}, h('strong', {}, label), h('small', {}, host)));
}

function file(media, name) {
  const label = name ?? media?.filename ?? 'Document';
  const extension = /\.([A-Za-z0-9]{1,5})$/.exec(label)?.[1]?.toUpperCase() ?? 'FILE';
  const inner = [h('span', { class: 'file-icon' }, icon('file'), h('b', {}, extension)),
    h('span', { class: 'file-name' }, h('strong', {}, label), h('small', {}, media?.file_size ? sizeOf(media.file_size) : media?.link ? hostOf(media.link) : ''))];
  return media?.url ? h('a', { class: 'file', href: media.url, download: label }, inner) : h('div', { class: 'file' }, inner);
}

function hostOf(link) {
  try {
    return new URL(link).host;
  } catch {
    return '';
  }
}

function place({ latitude, longitude, name, address }) {
  return h('div', { class: 'place' }, h('div', { class: 'map', 'aria-hidden': 'true' }, icon('pin')),
    h('div', { class: 'place-words' }, h('strong', {}, name ?? 'Location'), address ? h('span', {}, address) : null, h('small', { class: 'tabular' }, `${latitude}, ${longitude}`)));
}

function card(contact) {
  const lines = [...(contact.phones ?? []).map((entry) => entry.phone ?? entry.wa_id), ...(contact.emails ?? []).map((entry) => entry.email)].filter(Boolean);
  return h('div', { class: 'card' }, avatar(contact.name?.formatted_name ?? '?', contact.name?.formatted_name ?? '?'),
    h('span', {}, h('strong', {}, contact.name?.formatted_name ?? 'Contact'), contact.org?.company ? h('small', {}, contact.org.company) : null, lines.map((line) => h('small', {}, line))));
}

function interactive(message) {
  const { content } = message;
  if (content.type === 'button_reply' || content.type === 'list_reply') {
    const reply = content[content.type];
    return [words(reply.title), reply.description ? words(reply.description, 'words muted') : null];
  }
  const parts = [header(content.header, message.media), words(content.body?.text), words(content.footer?.text, 'foot')];
  if (content.type === 'carousel')
    parts.push(h('p', { class: 'words muted' }, `Carousel of ${content.action?.cards?.length ?? 0} cards`));
  if (['product', 'product_list', 'catalog_message'].includes(content.type))
    parts.unshift(h('div', { class: 'absent' }, icon('cart'), h('span', {}, h('strong', {}, content.type === 'product' ? content.action.product_retailer_id : 'Catalogue'),
      h('small', {}, content.action.catalog_id ?? ''))));
  return parts;
}

function header(value, media) {
  if (!value)
    return null;
  if (value.type === 'text')
    return words(value.text, 'head');
  return value.type === 'image' ? picture(media) : value.type === 'video' ? film(media) : file(media, value.document?.filename);
}

function template(view, media) {
  const { header: top } = view;
  const head = top === null ? null : top.format === 'TEXT' ? words(top.text, 'head') : top.format === 'LOCATION' ? place(top.location ?? {})
    : top.format === 'IMAGE' ? picture(media) : top.format === 'VIDEO' ? film(media) : top.format === 'DOCUMENT' ? file(media, top.media?.filename) : absent('file', top.format, media);
  return [head, words(view.body), words(view.footer, 'foot')];
}

/** The tappable rows under a bubble. */
function buttonsOf(message, on) {
  const button = (name, label, onclick, more = {}) => h('button', { class: 'action', onclick, ...more }, name ? icon(name, 'small') : null, h('span', {}, label));
  const outside = (name, label, href) => h('a', { class: 'action', href, target: '_blank', rel: 'noopener noreferrer' }, icon(name, 'small'), h('span', {}, label));
  if (message.direction === 'in')
    return [];
  if (message.type === 'template')
    return (message.view?.buttons ?? []).map((entry, index) => {
      if (entry.type === 'QUICK_REPLY')
        return button('reply', entry.text, () => on.tap(message, { type: 'button', index }));
      if (entry.type === 'URL' && /^https?:/.test(entry.url ?? ''))
        return outside('link', entry.text, entry.url);
      if (entry.type === 'COPY_CODE')
        return button('copy', entry.text, () => on.copy(entry.code));
      return button(entry.type === 'PHONE_NUMBER' ? 'phone' : null, entry.text, () => {}, { disabled: true });
    });
  if (message.type !== 'interactive')
    return [];
  const { type, action } = message.content;
  if (type === 'button')
    return action.buttons.map(({ reply }) => button('reply', reply.title, () => on.tap(message, { type: 'button_reply', id: reply.id })));
  if (type === 'list')
    return [button('list', action.button, () => on.pickList(message))];
  if (type === 'cta_url' && /^https?:/.test(action.parameters?.url ?? ''))
    return [outside('link', action.parameters.display_text, action.parameters.url)];
  if (type === 'location_request_message')
    return [button('pin', 'Send location', () => on.sendLocation(message))];
  return [];
}
