/** The log: messages, webhooks, faults and dials of the sandbox, live. */
import { h, icon, toast } from '/handset/page/dom.js';

const ROWS = 200;
const view = document.getElementById('view');
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' });
const TABS = { messages: ['Messages', drawMessages], webhooks: ['Webhooks', drawWebhooks], templates: ['Templates', drawTemplates], mails: ['Mails', drawMails], accounts: ['Accounts', drawAccounts], faults: ['Faults', drawFaults], dials: ['Dials', drawDials] };
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
  const row = h('tr', { class: 'opens', tabindex: 0, 'aria-expanded': String(opened.has(id)), onclick: flip, onkeydown: (event) => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); flip(); } } }, cells);
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

/** What a template's state allows by hand: a word of the control API for each button. */
const TURNS = { PENDING: ['APPROVED', 'REJECTED'], APPROVED: ['PAUSED', 'DISABLED'], PAUSED: ['APPROVED', 'DISABLED'], REJECTED: ['APPROVED'], DISABLED: ['REINSTATED'], ARCHIVED: ['UNARCHIVED'] };
const TURN_LABELS = { APPROVED: 'Approve', REJECTED: 'Reject', PAUSED: 'Pause', DISABLED: 'Disable', REINSTATED: 'Reinstate', UNARCHIVED: 'Unarchive' };
const stateTone = (status) => ({ APPROVED: 'good', REJECTED: 'bad', DISABLED: 'bad', PAUSED: 'bad' }[status] ?? '');

async function drawTemplates() {
  const { data } = await call('templates');
  const change = async (template, body, label) => {
    try {
      await call(`templates/${template.id}`, 'PATCH', body);
      toast(`${label}: ${template.name}`);
    } catch (error) {
      toast(error.message, 'bad');
    }
    await draw();
  };
  return [data.length === 0 ? none('No templates yet', 'What is handed in for review is listed here, and can be judged by hand.')
    : table(['Name', 'Language', 'Category', 'State', 'Quality', 'By hand'], [...data].reverse().map((template) => h('tr', {},
      h('td', { class: 'grow mono', title: template.components.find((component) => component.type === 'BODY')?.text ?? '' }, template.name), h('td', {}, template.language),
      h('td', {}, template.category.toLowerCase()), h('td', {}, badge(template.status.toLowerCase(), stateTone(template.status))),
      h('td', {}, h('select', { 'aria-label': `Quality of ${template.name}`, onchange: (event) => change(template, { quality: event.currentTarget.value }, 'Quality set') },
        ['UNKNOWN', 'GREEN', 'YELLOW', 'RED'].map((quality) => h('option', { selected: quality === (template.quality ?? 'UNKNOWN') }, quality)))),
      h('td', { class: 'turns' }, (TURNS[template.status] ?? []).map((event) => h('button', { class: 'button', onclick: () => change(template, { event }, TURN_LABELS[event]) }, TURN_LABELS[event]))))))];
}

/** What the platform tells of a number or its account, by hand: [what it says, field, value for the number's digits]. */
const NOTICES = [
  ['Limit raised', 'phone_number_quality_update', (number) => ({ display_phone_number: number, event: 'UPGRADE', old_limit: 'TIER_2K', current_limit: 'TIER_10K' })],
  ['Throughput raised', 'phone_number_quality_update', (number) => ({ display_phone_number: number, event: 'THROUGHPUT_UPGRADE', current_limit: 'TIER_UNLIMITED' })],
  ['Business limits changed', 'business_capability_update', () => ({ max_daily_conversations_per_business: 2000, max_phone_numbers_per_business: 20, max_phone_numbers_per_waba: 20 })],
  ['Messages restricted', 'account_update', () => ({ event: 'ACCOUNT_RESTRICTION', restriction_info: [{ restriction_type: 'RESTRICTED_BIZ_INITIATED_MESSAGING', expiration: Math.floor(Date.now() / 1000) + 86400 }] })],
  ['Violation', 'account_update', () => ({ event: 'ACCOUNT_VIOLATION', violation_info: { violation_type: 'SPAM' } })],
  ['Account disabled', 'account_update', () => ({ event: 'DISABLED_UPDATE', ban_info: { waba_ban_state: 'DISABLE', waba_ban_date: 'today' } })],
  ['Account deleted', 'account_update', () => ({ event: 'ACCOUNT_DELETED' })],
  ['Disconnected from the app', 'account_update', (number) => ({ phone_number: number, event: 'PARTNER_REMOVED' })],
  ['Review refused', 'account_review_update', () => ({ decision: 'REJECTED' })],
  ['Alert', 'account_alerts', () => ({ entity_type: 'BUSINESS', entity_id: '1', alert_info: { alert_severity: 'WARNING', alert_status: 'ACTIVE', alert_type: 'INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED', alert_description: 'Limits cannot be raised yet.' } })],
  ['PIN changed', 'security', (number) => ({ display_phone_number: number, event: 'PIN_CHANGED', requester: '1' })],
  ['PIN reset asked for', 'security', (number) => ({ display_phone_number: number, event: 'PIN_RESET_REQUEST', requester: '1' })],
  ['A field of the future', 'orbit_update', () => ({ event: 'LAUNCHED' })],
];

async function drawAccounts() {
  const { data } = await call('accounts');
  const act = async (path, method, body, label) => {
    try {
      await call(path, method, body);
      toast(label);
    } catch (error) {
      toast(error.message, 'bad');
    }
    await draw();
  };
  const phones = data.flatMap((account) => account.phones.map((phone) => ({ account, phone })));
  const quality = ({ phone }) => h('select', { 'aria-label': `Quality of ${phone.display_phone_number}`, onchange: (event) => act(`phones/${phone.id}`, 'PATCH', { quality_rating: event.currentTarget.value }, 'Quality set') },
    ['GREEN', 'YELLOW', 'RED', 'UNKNOWN'].map((rating) => h('option', { selected: rating === phone.quality_rating }, rating)));
  const notice = ({ account, phone }) => {
    const select = h('select', { 'aria-label': `What is told of ${phone.display_phone_number}` }, NOTICES.map(([label]) => h('option', {}, label)));
    return [select, h('button', { class: 'button', onclick: () => {
      const [label, field, value] = NOTICES[select.selectedIndex];
      void act('webhook', 'POST', { waba_id: account.waba_id, field, value: value(phone.display_phone_number), timed: true }, `Told: ${label}`);
    } }, 'Tell')];
  };
  const review = ({ phone }) => (phone.requested_name ? ['APPROVED', 'REJECTED'].map((decision) => h('button', { class: 'button', onclick: () => act(`phones/${phone.id}`, 'PATCH', { name_decision: decision }, phone.requested_name) },
    `${TURN_LABELS[decision]} \u201c${phone.requested_name}\u201d`)) : null);
  return [phones.length === 0 ? none('No accounts yet', 'A number that is connected to this sandbox is listed here, with what the platform can tell of it.')
    : table(['Number', 'Name', 'Account', 'State', 'Code', 'Quality', 'Name under review', 'Webhook by hand'], phones.map((row) => h('tr', {},
      h('td', { class: 'number' }, `+${row.phone.display_phone_number}`), h('td', { class: 'grow', dir: 'auto' }, row.phone.verified_name), h('td', { class: 'mono' }, row.account.waba_id),
      h('td', {}, badge(row.phone.status.toLowerCase(), row.phone.status === 'CONNECTED' ? 'good' : '')), h('td', { class: 'mono' }, row.phone.code ?? ''), h('td', {}, quality(row)),
      h('td', { class: 'turns' }, review(row)), h('td', { class: 'turns' }, notice(row)))))];
}

/** [what it says, the effect, the number to begin with] */
const EFFECTS = {
  'Refusals': [['Refuse with a Graph code', (code) => ({ kind: 'error', code }), 131016], ['Fail later with a code', (fail) => ({ kind: 'statuses', fail }), 131026], ['HTTP status without a Graph body', (http) => ({ kind: 'http', http, body: '' }), 503]],
  'Lost answers': [['Slow by milliseconds', (ms) => ({ kind: 'slow', ms }), 3000], ['Never answer', () => ({ kind: 'stall', when: 'before' })], ['Accept, never answer', () => ({ kind: 'stall', when: 'after' })],
    ['Cut the connection', () => ({ kind: 'cut', when: 'before' })], ['Accept, cut the connection', () => ({ kind: 'cut', when: 'after' })]],
  'Broken HTTP': [['Accept, answer by half', () => ({ kind: 'broken', how: 'cut_body', when: 'after' })], ['Accept, headers without end', () => ({ kind: 'broken', how: 'slow_headers', when: 'after' })],
    ['Accept, shorter than Content-Length', () => ({ kind: 'broken', how: 'long_length', when: 'after' })], ['Accept, longer than Content-Length', () => ({ kind: 'broken', how: 'short_length', when: 'after' })], ['No HTTP at all', () => ({ kind: 'broken', how: 'no_http', when: 'before' })],
    ['HTTP/2 RST_STREAM', () => ({ kind: 'broken', how: 'rst_stream', when: 'before' })], ['HTTP/2 GOAWAY', () => ({ kind: 'broken', how: 'goaway', when: 'before' })]],
  'Statuses': [['Statuses twice', () => ({ kind: 'statuses', duplicate: 1 })], ['Statuses in reverse', () => ({ kind: 'statuses', reorder: true })], ['Statuses late by milliseconds', (late_ms) => ({ kind: 'statuses', late_ms }), 5000], ['No delivered status', () => ({ kind: 'statuses', drop: ['delivered'] })]],
  'Webhooks': [['Wrong webhook signature', () => ({ kind: 'webhook', signature: 'wrong' })], ['No webhook signature', () => ({ kind: 'webhook', signature: 'none' })]],
};
const effects = Object.values(EFFECTS).flat();

/** An effect in the words of the form; one set by a program may have none. */
function effectWords(effect) {
  const number = effect.code ?? effect.fail ?? effect.http ?? effect.ms ?? effect.late_ms;
  const plain = (value) => JSON.stringify(Object.entries(value).sort());
  const found = effects.find(([, make]) => plain(make(number)) === plain(effect));
  return found ? [found[0], found[2] === undefined ? null : h('strong', {}, ` ${number}`)] : h('code', {}, JSON.stringify(effect));
}

async function drawFaults() {
  const { data } = await call('faults');
  const number = h('input', { name: 'more', inputmode: 'numeric', value: effects[0][2] });
  const numberField = h('label', { class: 'field' }, h('span', {}, 'Code or number'), number);
  const problem = h('p', { class: 'problem', role: 'alert' });
  const form = h('form', { class: 'form', onsubmit: async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    const effect = effects.find(([name]) => name === values.effect)[1](Number(values.more));
    try {
      await call('faults', 'POST', { on: effect.kind === 'webhook' ? 'webhooks' : 'messages', match: values.to ? { to: values.to.replace(/[^0-9*]/g, '') } : {}, times: values.times === '' ? null : Number(values.times), skip: Number(values.skip || 0), effect });
      await draw();
      view.querySelector('select')?.focus(); /* the form was drawn anew: whoever types goes on */
      toast('Fault set');
    } catch (error) {
      problem.textContent = error.message;
    }
  } },
  h('label', { class: 'field' }, h('span', {}, 'What goes wrong'), h('select', { name: 'effect', onchange: (event) => {
    const [, , need] = effects.find(([name]) => name === event.currentTarget.value);
    numberField.hidden = need === undefined;
    number.value = need ?? '';
  } }, Object.entries(EFFECTS).map(([label, list]) => h('optgroup', { label }, list.map(([name]) => h('option', {}, name)))))),
  numberField,
  h('label', { class: 'field' }, h('span', {}, 'Recipient'), h('input', { name: 'to', placeholder: 'any', autocomplete: 'off' }), h('small', {}, 'A number, or its beginning and *.')),
  h('div', { class: 'two' }, h('label', { class: 'field' }, h('span', {}, 'Times'), h('input', { name: 'times', inputmode: 'numeric', value: '1' }), h('small', {}, 'Empty: without end.')),
    h('label', { class: 'field' }, h('span', {}, 'After'), h('input', { name: 'skip', inputmode: 'numeric', value: '0' }), h('small', {}, 'So many pass first.'))),
  problem, h('button', { class: 'button primary', type: 'submit' }, 'Set fault'));
  const remove = async (path) => { await call(path, 'DELETE').catch((error) => toast(error.message, 'bad')); await draw(); };
  return [h('div', { class: 'columns' }, h('section', {}, h('h2', {}, 'New fault'), form),
    h('section', {}, h('h2', {}, 'Faults set'), data.length === 0 ? none('None', 'Everything works. Numbers +1 555 01 to 04 still misbehave: sandbox/README.md lists them.')
      : table(['Effect', 'For', 'Struck', ''], data.map((fault) => h('tr', {}, h('td', {}, effectWords(fault.effect)), h('td', {}, `${fault.on}${fault.match.to ? ` to ${fault.match.to}` : ''}`),
        h('td', { class: 'number' }, `${fault.struck} of ${fault.times ?? '∞'}`), h('td', {}, h('button', { class: 'icon-button', 'aria-label': 'Remove this fault', title: 'Remove', onclick: () => remove(`faults/${fault.id}`) }, icon('trash', 'small')))))),
    data.length > 0 ? h('div', {}, h('button', { class: 'button', onclick: () => remove('faults') }, 'Remove all')) : null))];
}

/** Words with their links, which open in a tab of their own. */
const linked = (text) => text.split(/(https?:\/\/\S+)/).map((part, i) => (i % 2 === 1 ? h('a', { href: part, target: '_blank', rel: 'noreferrer' }, part) : part));

async function drawMails() {
  const { data, is_relay: isRelay } = await call(`mails?limit=${ROWS}`);
  if (data.length === 0)
    return [isRelay ? none('No mails yet', 'Invitations and what people are told of their accounts are kept here, and go nowhere else.') : none('There is no mail relay here', 'Start the sandbox with --mail 127.0.0.1:0 and let HARKARA_MAIL_RELAY name what it prints.')];
  return [table(['Time', 'To', 'Subject', ''], [...data].reverse().flatMap((mail) => opening(`mail ${mail.id}`, [h('td', { class: 'time' }, time.format(mail.at)), h('td', { class: 'grow' }, mail.to.join(', ')), h('td', { class: 'grow', dir: 'auto' }, mail.subject),
    h('td', {}, h('a', { class: 'button', href: `/_sandbox/mails/${mail.id}/html`, target: '_blank', onclick: (event) => event.stopPropagation() }, 'As HTML'))], () => linked(mail.text))))];
}

const CHOICES = { window: ['enforce', 'ignore'], pair_limit: ['off', 'on'], links: ['loopback', 'fetch', 'ignore'], rate_limit_http: ['400', '429'], tls: ['good', 'alert', 'expired', 'wrong_name'], media_lie: ['none', 'sha256', 'host', 'cut'], groups: ['none', 'any'] };
/** What each dial is, in groups; one that is missing here is shown under its name. */
const DIALS = {
  'Messages': { statuses_delay_ms: 'Pause before each status, ms', auto_read: 'Everything delivered gets read', window: '24-hour window', us_marketing: 'Deliver marketing to +1', links: 'Media links that are fetched', list_body_max: 'Longest body of a list', media_url_ttl_ms: 'Life of a media URL, ms', upload_life_ms: 'Life of an upload, ms', media_lie: 'Media that is not as it says', template_review_ms: 'Template review, ms', bsuid: 'Business-scoped user ids', groups: 'Groups that there are' },
  'Limits': { throughput_per_second: 'Messages a second, each number', pair_limit: 'Limit to one person', daily_users: 'People in 24 hours (0: no limit)', rate_limit_http: 'HTTP status when limited', app_usage: 'App\'s calls used up (%)', account_usage: 'Account\'s calls used up (%)', regain_minutes: 'Minutes until access is regained' },
  'Network': { tls: 'Certificate shown' },
  'Webhooks': { webhook_version: 'Version', batch_max: 'Updates in one POST', batch_wait_ms: 'Wait to fill it, ms', webhook_concurrency: 'POSTs at once', webhook_timeout_ms: 'Timeout, ms', retry_first_ms: 'First retry after, ms', retry_max_ms: 'Longest gap, ms', retry_for_ms: 'Given up after, ms' },
};

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
  const field = (name, label) => {
    const value = settings[name], choices = CHOICES[name] ?? (typeof value === 'boolean' ? ['true', 'false'] : null);
    const read = (text) => (typeof value === 'number' ? Number(text) : typeof value === 'boolean' ? text === 'true' : text);
    const onchange = (event) => change(name, read(event.currentTarget.value));
    return h('label', { class: 'field' }, h('span', {}, label), choices ? h('select', { onchange }, choices.map((choice) => h('option', { selected: choice === String(value) }, choice)))
      : h('input', { value: String(value), inputmode: 'numeric', onchange }), h('small', { class: 'mono' }, name));
  };
  const named = Object.values(DIALS).flatMap(Object.keys), others = Object.keys(settings).filter((name) => !named.includes(name));
  const groups = [...Object.entries(DIALS), ...(others.length > 0 ? [['Others', Object.fromEntries(others.map((name) => [name, name]))]] : [])];
  return [h('p', { class: 'muted' }, 'Dials of the whole sandbox; an account can have its own (PATCH /_sandbox/accounts/ID). They last until it stops.'),
    ...groups.map(([title, dials]) => h('section', { class: 'dials' }, h('h2', {}, title), h('div', { class: 'settings' }, Object.entries(dials).filter(([name]) => settings[name] !== undefined).map(([name, label]) => field(name, label)))))];
}

async function draw() {
  document.getElementById('tabs').replaceChildren(...Object.entries(TABS).map(([name, [label]]) => h('button', { 'aria-current': name === tab ? 'page' : null, onclick: () => {
    tab = name;
    history.replaceState(null, '', `#${name}`);
    void draw();
  } }, label)));
  document.querySelector('#tabs [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
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
for (const event of ['message', 'status', 'delivery', 'hello', 'fault', 'account', 'template', 'mail'])
  feed.addEventListener(event, () => {
    if (soon === null && (tab === 'messages' || tab === 'webhooks' || (tab === 'templates' && event === 'template') || (tab === 'mails' && event === 'mail')))
      soon = setTimeout(() => { soon = null; void draw(); }, 250);
  });
void draw();
