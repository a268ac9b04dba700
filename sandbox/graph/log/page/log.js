/** The log: messages, webhooks, faults and dials of the sandbox, live. */
import { h, icon, toast } from '/handset/page/dom.js';

const ROWS = 200;
const view = document.getElementById('view');
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' });
const TABS = { messages: ['Messages', drawMessages], webhooks: ['Webhooks', drawWebhooks], faults: ['Faults', drawFaults], dials: ['Dials', drawDials] };
let tab = TABS[location.hash.slice(1)] ? location.hash.slice(1) : 'messages';
const opened = new Set();

const asked = new URLSearchParams(location.search).get('theme') ?? localStorage.getItem('theme');
if (asked)
  document.documentElement.dataset.theme = asked;

async function call(path, method = 'GET', body) {
  const response = await fetch(`/_sandbox/${path}`, { method, headers: body === undefined ? {} : { 'content-type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) });
  const value = await response.json().catch(() => ({}));
  if (!response.ok)
    throw new Error(value.error ?? `The sandbox answered ${response.status}.`);
  return value;
}

const tone = (status) => ({ delivered: 'good', read: 'brand', failed: 'bad', sent: '' }[status] ?? '');
const badge = (text, kind = '') => h('span', { class: `badge ${kind}` }, text);
const none = (title, words) => h('div', { class: 'none' }, h('h2', {}, title), h('p', { class: 'muted' }, words));

function table(heads, rows) {
  return h('div', { class: 'scroll' }, h('table', {}, h('thead', {}, h('tr', {}, heads.map((head) => h('th', { scope: 'col' }, head)))), h('tbody', {}, rows)));
}

/** A row that opens to show more; open ones stay open when the list is drawn again. */
function opening(id, cells, text) {
  const flip = () => { opened.has(id) ? opened.delete(id) : opened.add(id); void draw(); };
  const row = h('tr', { class: 'opens', tabindex: 0, 'aria-expanded': String(opened.has(id)), onclick: flip, onkeydown: (event) => { if (event.key === 'Enter') flip(); } }, cells);
  return opened.has(id) ? [row, h('tr', { class: 'open' }, h('td', { colspan: cells.length }, h('pre', { class: 'code' }, text())))] : [row];
}

function words({ content, type, view: filled }) {
  const text = content?.body?.text ?? content?.body ?? filled?.body ?? content?.caption ?? content?.button_reply?.title ?? content?.list_reply?.title ?? content?.text ?? content?.emoji ?? content?.name ?? content?.filename ?? '';
  return typeof text === 'string' ? text : type;
}

async function drawMessages() {
  const [{ data, total }, counters] = await Promise.all([call(`messages?limit=${ROWS}`), call('counters')]);
  const stat = (name, label) => h('div', { class: 'stat' }, h('strong', {}, (counters[name] ?? 0).toLocaleString()), h('span', {}, label));
  return [h('div', { class: 'stats' }, stat('messages.accepted', 'accepted'), stat('statuses.delivered', 'delivered'), stat('statuses.read', 'read'), stat('statuses.failed', 'failed'), stat('messages.inbound', 'inbound'), stat('webhooks.waiting', 'webhooks waiting')),
    data.length === 0 ? none('No messages yet', 'What is sent to this sandbox, and what people write in the handset, is listed here.')
      : table(['Time', '', 'Person', 'Type', 'Content', 'Status'], [...data].reverse().flatMap((message) => {
        const last = message.statuses.at(-1);
        return opening(message.id, [h('td', { class: 'time' }, time.format(message.at)), h('td', {}, message.direction === 'out' ? badge('out') : badge('in', 'brand')), h('td', { class: 'number' }, `+${message.wa_id}`),
          h('td', {}, message.type), h('td', { class: 'grow', dir: 'auto' }, words(message)),
          h('td', {}, last ? badge(last.errors?.[0] ? `${last.status} ${last.errors[0].code}` : last.status, tone(last.status)) : badge('accepted'))], () => JSON.stringify(message, null, 2));
      })),
    total > data.length ? h('p', { class: 'muted' }, `The last ${data.length} of ${total}.`) : null];
}

async function drawWebhooks() {
  const { data, waiting } = await call(`webhooks?limit=${ROWS}`);
  return [waiting > 0 ? h('p', { class: 'muted' }, `${waiting} updates wait to be sent or retried.`) : null,
    data.length === 0 ? none('No webhooks yet', 'An account with a callback gets its statuses and inbound messages there; each POST is listed here.')
      : table(['Time', 'What', 'Callback', 'Try', 'Answer', 'Took'], [...data].reverse().flatMap((delivery) => opening(delivery.id,
        [h('td', { class: 'time' }, time.format(delivery.at)), h('td', {}, delivery.what), h('td', { class: 'grow mono' }, delivery.url), h('td', { class: 'number' }, delivery.attempt),
          h('td', {}, badge(delivery.status ?? delivery.error, delivery.status === 200 ? 'good' : 'bad')), h('td', { class: 'number' }, `${delivery.took_ms} ms`)],
        () => `X-Hub-Signature-256: ${delivery.signature ?? '(none)'}\n\n${delivery.body}`)))];
}

const EFFECTS = {
  'Refuse with a Graph code': (more) => ({ kind: 'error', code: more }), 'Fail later with a code': (more) => ({ kind: 'statuses', fail: more }),
  'HTTP status without a Graph body': (more) => ({ kind: 'http', http: more, body: '' }), 'Slow by milliseconds': (more) => ({ kind: 'slow', ms: more }),
  'Never answer': () => ({ kind: 'stall', when: 'before' }), 'Accept, never answer': () => ({ kind: 'stall', when: 'after' }),
  'Cut the connection': () => ({ kind: 'cut', when: 'before' }), 'Accept, cut the connection': () => ({ kind: 'cut', when: 'after' }),
  'Statuses twice': () => ({ kind: 'statuses', duplicate: 1 }), 'Statuses in reverse': () => ({ kind: 'statuses', reorder: true }), 'Statuses late by milliseconds': (more) => ({ kind: 'statuses', late_ms: more }),
  'No delivered status': () => ({ kind: 'statuses', drop: ['delivered'] }), 'Wrong webhook signature': () => ({ kind: 'webhook', signature: 'wrong' }),
};
const NEEDS = { 'Refuse with a Graph code': '131016', 'Fail later with a code': '131026', 'HTTP status without a Graph body': '503', 'Slow by milliseconds': '3000', 'Statuses late by milliseconds': '5000' };

async function drawFaults() {
  const { data } = await call('faults');
  const number = h('input', { name: 'more', inputmode: 'numeric', value: NEEDS['Refuse with a Graph code'] });
  const numberField = h('label', { class: 'field' }, h('span', {}, 'Code or number'), number);
  const problem = h('p', { class: 'problem', role: 'alert' });
  const form = h('form', { class: 'form', onsubmit: async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    const effect = EFFECTS[values.effect](Number(values.more));
    try {
      await call('faults', 'POST', { on: effect.kind === 'webhook' ? 'webhooks' : 'messages', match: values.to ? { to: values.to.replace(/[^0-9*]/g, '') } : {}, times: values.times === '' ? null : Number(values.times), skip: Number(values.skip || 0), effect });
      await draw();
    } catch (error) {
      problem.textContent = error.message;
    }
  } },
  h('label', { class: 'field' }, h('span', {}, 'What goes wrong'), h('select', { name: 'effect', onchange: (event) => {
    const need = NEEDS[event.currentTarget.value];
    numberField.hidden = need === undefined;
    number.value = need ?? '';
  } }, Object.keys(EFFECTS).map((name) => h('option', {}, name)))),
  numberField,
  h('label', { class: 'field' }, h('span', {}, 'Recipient'), h('input', { name: 'to', placeholder: 'any', autocomplete: 'off' }), h('small', {}, 'A number, or its beginning and *.')),
  h('div', { class: 'two' }, h('label', { class: 'field' }, h('span', {}, 'Times'), h('input', { name: 'times', inputmode: 'numeric', value: '1' }), h('small', {}, 'Empty: without end.')),
    h('label', { class: 'field' }, h('span', {}, 'After'), h('input', { name: 'skip', inputmode: 'numeric', value: '0' }), h('small', {}, 'So many pass first.'))),
  problem, h('button', { class: 'button primary', type: 'submit' }, 'Set fault'));
  const remove = async (path) => { await call(path, 'DELETE').catch((error) => toast(error.message, 'bad')); await draw(); };
  return [h('div', { class: 'columns' }, h('section', {}, h('h2', {}, 'New fault'), form),
    h('section', {}, h('h2', {}, 'Faults set'), data.length === 0 ? none('None', 'Everything works. Numbers +1 555 01 to 04 still misbehave: sandbox/README.md lists them.')
      : table(['Effect', 'For', 'Struck', ''], data.map((fault) => h('tr', {}, h('td', {}, h('code', {}, JSON.stringify(fault.effect))), h('td', {}, `${fault.on}${fault.match.to ? ` to ${fault.match.to}` : ''}`),
        h('td', { class: 'number' }, `${fault.struck} of ${fault.times ?? '∞'}`), h('td', {}, h('button', { class: 'icon-button', 'aria-label': 'Remove this fault', onclick: () => remove(`faults/${fault.id}`) }, icon('trash', 'small')))))),
    data.length > 0 ? h('div', {}, h('button', { class: 'button', onclick: () => remove('faults') }, 'Remove all')) : null))];
}

const CHOICES = { window: ['enforce', 'ignore'], pair_limit: ['off', 'on'], links: ['loopback', 'fetch', 'ignore'], rate_limit_http: ['400', '429'] };

async function drawDials() {
  const settings = await call('settings');
  const change = async (name, value) => {
    try {
      await call('settings', 'PATCH', { [name]: value });
      toast('Changed');
    } catch (error) {
      toast(error.message, 'bad');
      await draw();
    }
  };
  return [h('p', { class: 'muted' }, 'Dials of the whole sandbox; an account can have its own (PATCH /_sandbox/accounts/ID). They last until it stops.'), h('p', {}, '\u00a0'),
    h('div', { class: 'settings' }, Object.entries(settings).map(([name, value]) => {
      const read = (text) => (typeof value === 'number' ? Number(text) : typeof value === 'boolean' ? text === 'true' : text);
      const choices = CHOICES[name] ?? (typeof value === 'boolean' ? ['true', 'false'] : null);
      const onchange = (event) => change(name, read(event.currentTarget.value));
      return h('label', { class: 'field' }, h('span', { class: 'mono' }, name), choices ? h('select', { onchange }, choices.map((choice) => h('option', { selected: choice === String(value) }, choice)))
        : h('input', { value: String(value), inputmode: 'numeric', onchange }));
    }))];
}

async function draw() {
  document.getElementById('tabs').replaceChildren(...Object.entries(TABS).map(([name, [label]]) => h('button', { 'aria-current': name === tab ? 'page' : null, onclick: () => {
    tab = name;
    history.replaceState(null, '', `#${name}`);
    void draw();
  } }, label)));
  const now = tab;
  try {
    const parts = await TABS[now][1]();
    if (now === tab)
      view.replaceChildren(...parts.filter((part) => part !== null));
  } catch {
    view.replaceChildren(none('The sandbox does not answer', 'It may have stopped. This page tries again by itself.'));
  }
}

/* Live: lists follow; forms are not redrawn under the hands of a person. */
let soon = null;
const feed = new EventSource('/_sandbox/events');
for (const event of ['message', 'status', 'delivery', 'hello', 'fault', 'account'])
  feed.addEventListener(event, () => {
    if (soon === null && (tab === 'messages' || tab === 'webhooks'))
      soon = setTimeout(() => { soon = null; void draw(); }, 250);
  });
void draw();
