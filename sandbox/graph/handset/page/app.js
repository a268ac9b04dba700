/** The handset page: which phone, which chat, and what happens live. */
import { avatar, copy, h, icon, ticks, toast } from './dom.js';
import { api } from './api.js';
import { bubble } from './bubble.js';
import { composer } from './composer.js';
import { detailsSheet, listSheet, locationSheet, menuAt, phonesSheet } from './sheets.js';
import { dayOf, shortTimeOf, spanOf } from './text.js';

const EMOJI = ['👍', '❤️', '😂', '😮', '🙏', '🎉'];
const rail = document.getElementById('rail');
const stage = document.getElementById('stage');
const app = document.getElementById('app');

const state = { handsets: [], businesses: [], chats: [], waId: null, phoneId: null, chat: null, replyTo: null, connected: true };
let feed = null; /* live events of the phone */
let compose = null;

/* ---- theme: the system's, until the person chooses ---- */
const asked = new URLSearchParams(location.search).get('theme');
const theme = { stored: asked ?? localStorage.getItem('theme') };
const isDark = () => (theme.stored ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
const applyTheme = () => { if (theme.stored) document.documentElement.dataset.theme = theme.stored; };
applyTheme();

/* ---- rail ---- */
const handsetNow = () => state.handsets.find((handset) => handset.wa_id === state.waId) ?? null;

function drawRail() {
  const handset = handsetNow();
  rail.replaceChildren(
    h('header', { class: 'rail-head' }, h('img', { src: '/handset/page/favicon.svg', alt: '', width: 28, height: 28 }), h('h1', {}, 'Handset'), h('span', { class: 'badge brand' }, 'Sandbox'),
      h('span', { class: 'spring' }),
      h('button', { class: 'icon-button', 'aria-label': isDark() ? 'Light theme' : 'Dark theme', title: isDark() ? 'Light theme' : 'Dark theme', onclick: () => {
        theme.stored = isDark() ? 'light' : 'dark';
        localStorage.setItem('theme', theme.stored);
        applyTheme();
        drawRail();
      } }, icon(isDark() ? 'sun' : 'moon')),
      h('a', { class: 'icon-button', href: '/_sandbox', 'aria-label': 'Log and faults', title: 'Log and faults' }, icon('log'))),
    h('section', { class: 'phone-card', 'aria-label': 'This phone' },
      h('button', { class: 'phone-row switcher', onclick: openPhones, 'aria-haspopup': 'dialog' },
        handset === null ? h('span', { class: 'avatar plus' }, icon('plus')) : avatar(handset.name || handset.number, handset.wa_id),
        h('span', { class: 'phone-words' }, h('strong', {}, handset === null ? 'Choose a phone' : handset.name || handset.number), h('small', { class: 'tabular' }, handset === null ? 'or create one' : handset.number)), icon('chevron')),
      handset === null ? null : h('div', { class: 'switches' },
        toggle('Online', 'Off: messages wait as sent', handset.online, (on) => api.changeHandset(handset.wa_id, { online: on })),
        toggle('Reads at once', 'Each message is read as it arrives', handset.auto_read === true, (on) => api.changeHandset(handset.wa_id, { auto_read: on ? true : null })))),
    state.connected ? '' : h('p', { class: 'stale', role: 'status' }, icon('warn', 'small'), 'Not connected. What you see may be old; trying again.'),
    h('h2', { class: 'rail-title' }, 'Chats'),
    handset === null ? h('p', { class: 'rail-note muted' }, 'Chats of the phone that you choose.')
      : state.chats.length === 0 ? h('p', { class: 'rail-note muted' }, 'No business number yet.')
        : h('ul', { class: 'chats' }, state.chats.map(chatRow)));
}

function toggle(label, hint, on, change) {
  const input = h('input', { type: 'checkbox', role: 'switch', checked: on, onchange: () => change(input.checked).catch((error) => toast(error.message, 'bad')) });
  return h('label', { class: 'switch', title: hint }, h('span', {}, label), input);
}

function chatRow(chat) {
  return h('li', {}, h('button', { class: 'chat-row', 'aria-current': chat.phone_number_id === state.phoneId ? 'true' : null, onclick: () => go(state.waId, chat.phone_number_id) },
    avatar(chat.name, chat.phone_number_id),
    h('span', { class: 'chat-words' }, h('span', { class: 'chat-top' }, h('strong', {}, chat.name), chat.sms ? h('span', { class: 'badge' }, 'SMS') : null, h('span', { class: 'spring' }), chat.last ? h('time', { class: 'tabular' }, shortTimeOf(chat.last.at)) : null),
      h('span', { class: 'chat-last' }, chat.last === null ? chat.number : [chat.last.direction === 'in' ? ticks(chat.last.status ?? 'sent') : null, h('span', {}, chat.last.text)])),
    chat.unread > 0 ? h('span', { class: 'count', 'aria-label': `${chat.unread} unread` }, chat.unread > 99 ? '99+' : chat.unread) : null));
}

function openPhones() {
  phonesSheet(state.handsets, state.waId, (waId) => go(waId, null));
}

/* ---- stage ---- */
function drawStage() {
  app.dataset.view = state.phoneId === null ? 'list' : 'chat';
  if (state.businesses.length === 0)
    return drawEmpty('chat', 'No business number yet', 'A chat needs a business number on the other side. Make one with the control API, or connect a WhatsApp channel to this sandbox.',
      h('pre', { class: 'hint' }, `curl ${location.origin}/_sandbox/accounts \\\n  -H 'content-type: application/json' -d '{}'`));
  if (state.waId === null)
    return drawEmpty('phone', 'Whose phone is this?', 'Choose a phone, or create one with any number. What a business sends to that number arrives here.',
      h('button', { class: 'button primary', onclick: openPhones }, icon('plus', 'small'), 'Choose a phone'));
  if (state.phoneId === null || state.chat === null)
    return drawEmpty('chat', 'Choose a chat', 'Messages from the business appear here as they arrive.');
  drawChat();
}

function drawEmpty(name, title, words, ...more) {
  compose = null;
  stage.replaceChildren(h('div', { class: 'empty' }, h('span', { class: 'empty-mark' }, icon(name)), h('h2', {}, title), h('p', { class: 'muted' }, words), ...more));
}

const shown = () => state.chat.messages.filter((message) => message.visible);
const unread = () => (state.chat.sms ? [] : shown()).filter((message) => message.direction === 'out' && message.status === 'delivered');

function drawChat() {
  const { business } = state.chat;
  const draft = compose?.draft() ?? '';
  compose = state.chat.sms && !state.chat.sms.can_reply ? silent(business) : composer({ isSms: state.chat.sms !== undefined, waId: state.waId, phoneId: state.phoneId, replyTo: state.replyTo, cancelReply: () => reply(null), sent: (message) => {
    state.replyTo = null;
    upsert(message);
    drawChat();
    toEnd();
    compose.focus();
  } });
  stage.replaceChildren(
    h('header', { class: 'stage-head' },
      h('button', { class: 'icon-button back', 'aria-label': 'Back to the chats', onclick: () => go(state.waId, null, true) }, icon('back')),
      avatar(business.name, business.phone_number_id),
      h('div', { class: 'stage-words' }, h('h2', {}, business.name), h('p', { class: 'muted tabular' }, h('span', { class: 'wide-only' }, business.number), h('span', { id: 'window' }))),
      h('span', { class: 'spring' }), h('span', { id: 'read' })),
    h('div', { class: 'wall', id: 'wall', tabindex: 0, role: 'log', 'aria-label': 'Messages', onscroll: onScroll }, h('ol', { class: 'messages', id: 'messages' })),
    h('button', { class: 'pill hidden', id: 'pill', onclick: toEnd }, icon('down', 'small'), h('span', {}, 'New message')),
    compose.element);
  compose.setDraft(draft);
  follow.disconnect();
  follow.observe(document.getElementById('messages'));
  drawMessages();
  drawHead();
  toEnd();
}

/** In place of where a person writes, where nobody would get it. */
function silent(business) {
  return { element: h('p', { class: 'composer cannot-reply' }, icon('info', 'small'), `Nobody can write to ${business.name}: it is a name, not a number.`), focus: () => {}, draft: () => '', setDraft: () => {} };
}

function drawHead() {
  if (state.chat.sms) {
    document.getElementById('window')?.replaceChildren(h('span', { class: 'window', title: `By the operator's account ${state.chat.sms.system_id}` }, icon('phone', 'small'), 'SMS'));
    return;
  }
  const left = state.chat.window_until - Date.now();
  const [kind, label, hint] = left > 0 ? ['good', `Window open, ${spanOf(left)} left`, 'The business may write freely until 24 hours after your last message.']
    : state.chat.window === 'ignore' ? ['', 'Window not enforced', 'You have not written in 24 hours. This account is set to ignore that.']
      : ['warn', 'Window closed', 'You have not written in 24 hours: the business may send templates only.'];
  document.getElementById('window')?.replaceChildren(h('span', { class: `window ${kind}`, title: hint }, icon('clock', 'small'), label));
  const count = unread().length;
  document.getElementById('read')?.replaceChildren(count === 0 ? '' : h('button', { class: 'button', onclick: () => api.read(state.waId, state.phoneId).catch((error) => toast(error.message, 'bad')) },
    icon('check', 'small'), h('span', { class: 'wide-only' }, 'Mark as read'), h('span', { class: 'count' }, count)));
}

function drawMessages() {
  const rows = [];
  let lastDay = '';
  let marked = false;
  const messages = shown();
  if (messages.length === 0)
    rows.push(h('li', { class: 'row note' }, h('p', { class: 'start' }, h('strong', {}, 'No messages yet.'), state.chat.sms ? ' What is sent to this phone by SMS arrives here.' : ' Write first: your message opens the 24-hour window in which the business may answer freely.')));
  for (const message of messages) {
    const day = dayOf(message.at);
    if (day !== lastDay)
      rows.push(h('li', { class: 'row day' }, h('span', {}, day)));
    lastDay = day;
    if (!marked && !state.chat.sms && message.direction === 'out' && message.status === 'delivered') {
      rows.push(h('li', { class: 'row unread' }, h('span', {}, 'Unread')));
      marked = true;
    }
    rows.push(bubble(message, actions));
  }
  const waiting = state.chat.messages.filter((message) => message.held).length;
  if (waiting > 0)
    rows.push(h('li', { class: 'row note' }, h('p', { class: 'start' }, `${waiting === 1 ? 'A message waits' : `${waiting} messages wait`} until this phone is online.`)));
  if (state.chat.typing_until > Date.now())
    rows.push(h('li', { class: 'row theirs', id: 'typing' }, h('span', { class: 'bubble typing', 'aria-label': 'The business is typing' }, h('i'), h('i'), h('i'))));
  document.getElementById('messages')?.replaceChildren(...rows);
}

const actions = {
  tap: (message, body) => api.write(state.waId, state.phoneId, { ...body, reply_to: message.id }).then(arrived).catch((error) => toast(error.message, 'bad')),
  pickList: (message) => listSheet(message, (id) => actions.tap(message, { type: 'list_reply', id })),
  sendLocation: (message) => locationSheet((body) => api.write(state.waId, state.phoneId, { ...body, reply_to: message.id }).then(arrived)),
  copy,
  jump: (id) => {
    const row = document.querySelector(`[data-id="${CSS.escape(id)}"]`);
    row?.scrollIntoView({ block: 'center', behavior: 'smooth' });
    row?.classList.add('flash');
    setTimeout(() => row?.classList.remove('flash'), 1200);
  },
  menu: (message, anchor) => menuAt(anchor, [
    ...(message.failure === null && !message.sms ? [{ label: 'Answer', name: 'reply', run: () => reply(message) }] : []),
    { label: 'Copy id', name: 'copy', run: () => copy(message.id) },
    { label: 'Details', name: 'info', run: () => detailsSheet(message) },
  ], message.direction === 'out' && message.failure === null && !message.sms ? EMOJI.map((emoji) => ({ label: `React ${emoji}`, text: emoji, pressed: message.reaction === emoji,
    run: () => actions.tap(message, { type: 'reaction', emoji: message.reaction === emoji ? '' : emoji }) })) : null),
};

function reply(message) {
  state.replyTo = message === null ? null : { id: message.id, direction: message.direction, text: message.content.body?.text ?? message.content.body ?? message.view?.body ?? message.type };
  drawChat();
  compose.focus();
}

function arrived(message) {
  upsert(message);
  drawMessages();
  toEnd();
}

/* ---- scrolling: follow the end, unless the person reads above; pictures that load late count too ---- */
let isAtEnd = true;
const follow = new ResizeObserver(() => { if (isAtEnd) toEnd(); });
function onScroll(event) {
  const wall = event.currentTarget;
  isAtEnd = wall.scrollHeight - wall.scrollTop - wall.clientHeight < 80;
  if (isAtEnd)
    document.getElementById('pill')?.classList.add('hidden');
}
function toEnd() {
  const wall = document.getElementById('wall');
  if (wall)
    wall.scrollTop = wall.scrollHeight;
  isAtEnd = true;
  document.getElementById('pill')?.classList.add('hidden');
}

/* ---- data ---- */
function upsert(message) {
  const { messages } = state.chat;
  const index = messages.findIndex((other) => other.id === message.id);
  if (index < 0)
    messages.push(message);
  else if (messages[index].statuses.length <= message.statuses.length)
    messages[index] = message; /* an answer can come after the event that is newer than it */
  if (message.direction === 'in')
    state.chat.window_until = Math.max(state.chat.window_until, message.at + 86_400_000);
  else
    state.chat.typing_until = 0;
}

async function loadState() {
  const { handsets, businesses } = await api.state();
  Object.assign(state, { handsets, businesses });
  if (state.waId !== null && handsetNow() === null)
    state.waId = null;
}

async function loadChats() {
  state.chats = state.waId === null ? [] : (await api.chats(state.waId)).data;
}

/** Goes to a phone and a chat; the place is kept in the address. */
async function go(waId, phoneId, stay = false) {
  const samePhone = waId === state.waId;
  Object.assign(state, { waId, phoneId, chat: null, replyTo: null });
  compose = null;
  try {
    if (!samePhone || state.chats.length === 0)
      await loadChats();
    if (phoneId === null && !stay && state.chats.length === 1)
      state.phoneId = state.chats[0].phone_number_id;
    if (state.waId !== null && state.phoneId !== null)
      state.chat = await api.chat(state.waId, state.phoneId);
    history.replaceState(null, '', `#${[state.waId, state.phoneId].filter(Boolean).join('/')}`);
  } catch (error) {
    toast(error.message, 'bad');
    state.phoneId = null;
  }
  if (!samePhone)
    listen();
  await loadState().catch(() => {});
  drawRail();
  drawStage();
}

let soon = null;
function refreshLists() {
  clearTimeout(soon);
  soon = setTimeout(async () => {
    await Promise.all([loadState(), loadChats()]).catch(() => {});
    drawRail();
    if (state.chat === null)
      drawStage();
  }, 120);
}

function listen() {
  feed?.close();
  feed = new EventSource(`/handset/api/events?${new URLSearchParams(state.waId === null ? {} : { wa_id: state.waId })}`);
  const on = (event, run) => feed.addEventListener(event, (raw) => run(JSON.parse(raw.data)));
  const changed = ({ phone_number_id: phoneId, message }) => {
    if (state.chat !== null && phoneId === state.phoneId) {
      const before = shown().length;
      upsert(message);
      const wasAtEnd = isAtEnd;
      drawMessages();
      drawHead();
      if (shown().length > before && wasAtEnd)
        toEnd();
      else if (shown().length > before)
        document.getElementById('pill')?.classList.remove('hidden');
    }
    refreshLists();
  };
  on('message', changed);
  on('status', changed);
  on('sms', changed);
  on('sms_status', changed);
  on('typing', ({ phone_number_id: phoneId, until }) => {
    if (state.chat === null || phoneId !== state.phoneId)
      return;
    state.chat.typing_until = until;
    drawMessages();
    if (isAtEnd)
      toEnd();
    setTimeout(() => { if (state.chat !== null) drawMessages(); }, Math.max(0, until - Date.now()) + 50);
  });
  on('handset', refreshLists);
  on('account', async () => {
    await Promise.all([loadState(), loadChats()]).catch(() => {});
    if (state.phoneId !== null && !state.businesses.some((business) => business.phone_number_id === state.phoneId))
      Object.assign(state, { phoneId: null, chat: null });
    drawRail();
    if (state.chat === null)
      await go(state.waId, null);
  });
  feed.addEventListener('hello', async () => {
    const wasLost = !state.connected;
    state.connected = true;
    if (wasLost)
      await go(state.waId, state.phoneId);
  });
  feed.addEventListener('error', () => {
    state.connected = false;
    drawRail();
  });
}

setInterval(() => { if (state.chat !== null) drawHead(); }, 30_000);

async function start() {
  try {
    await loadState();
  } catch (error) {
    toast(error.message, 'bad');
  }
  const [waId = null, phoneId = null] = decodeURIComponent(location.hash.slice(1)).split('/').map((part) => (part === '' ? null : part));
  const known = state.handsets.some((handset) => handset.wa_id === waId);
  const first = known ? waId : state.handsets.length === 1 ? state.handsets[0].wa_id : null;
  listen();
  await go(first, known && state.businesses.some((business) => business.phone_number_id === phoneId) ? phoneId : null, known && phoneId === null && matchMedia('(max-width: 759px)').matches);
}

void start();
