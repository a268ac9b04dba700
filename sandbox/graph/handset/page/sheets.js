/** What opens over the page: a list to choose from, a message's details, phones, a location, a menu. */
import { avatar, copy, h, icon, ticks, toast } from './dom.js';
import { api } from './api.js';
import { exactTimeOf, fullTimeOf } from './text.js';

/** A modal that closes by its button, by Escape or by a click beside it. */
function sheet(title, className, ...content) {
  const dialog = h('dialog', { class: `sheet ${className}`, 'aria-label': title },
    h('header', { class: 'sheet-head' }, h('h2', { tabindex: -1, autofocus: true }, title), h('button', { class: 'icon-button', 'aria-label': 'Close', onclick: () => dialog.close() }, icon('close'))),
    h('div', { class: 'sheet-body' }, content));
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** The rows of a list message: choose one, then send it, as on a phone. */
export function listSheet(message, choose) {
  const { action } = message.content;
  const send = h('button', { class: 'button primary wide', type: 'submit', disabled: true }, 'Send');
  const form = h('form', { class: 'list-form', onsubmit: (event) => {
    event.preventDefault();
    choose(new FormData(form).get('row'));
    dialog.close();
  }, onchange: () => { send.disabled = false; } },
  action.sections.map((section) => h('fieldset', {}, section.title ? h('legend', {}, section.title) : null,
    section.rows.map((row) => h('label', { class: 'list-row' }, h('span', {}, h('strong', {}, row.title), row.description ? h('small', {}, row.description) : null),
      h('input', { type: 'radio', name: 'row', value: row.id }))))),
  h('div', { class: 'sheet-foot' }, send));
  const dialog = sheet(action.button, 'bottom', form);
}

/** Everything that is known of a message, for the person who debugs. */
export function detailsSheet(message) {
  const fact = (name, value) => (value === null || value === undefined || value === '' ? null : [h('dt', {}, name), h('dd', {}, value)]);
  const json = JSON.stringify(message.content, null, 2);
  sheet('Message details', 'side',
    h('dl', { class: 'facts' },
      fact('Id', h('button', { class: 'copyable', title: 'Copy', onclick: () => copy(message.id) }, h('code', {}, message.id), icon('copy', 'small'))),
      fact('Type', message.type), fact('Direction', message.direction === 'out' ? 'business to phone' : 'phone to business'), fact('Accepted', fullTimeOf(message.at)),
      fact('Pricing', message.category), fact('Sent as', message.sms && `${message.sms.encoding}, ${message.sms.total === 1 ? 'one part' : `${message.sms.total} parts`}${message.sms.how === 'one' ? '' : ` by ${message.sms.how}`}`), fact('Account', message.sms?.system_id), fact('DLT', message.sms?.dlt && `${message.sms.dlt.entity} / ${message.sms.dlt.template}`), fact('Sender’s data', message.opaque === null ? null : h('code', {}, message.opaque)), fact('Answers', message.quoted?.text)),
    h('h3', {}, message.direction === 'out' ? 'Statuses' : 'Ticks'),
    message.statuses.length === 0 ? h('p', { class: 'muted' }, message.direction === 'out' || message.sms ? 'None yet.' : 'The callback has not answered 200 yet.')
      : h('ol', { class: 'timeline' }, message.statuses.map((entry) => h('li', { class: entry.status },
        h('span', { class: 'timeline-mark' }, ticks(entry.status)), h('span', {}, h('strong', {}, entry.status), (entry.errors ?? []).map((error) => h('small', { class: 'problem' }, `${error.code} ${error.title}: ${error.error_data.details}`))),
        h('time', { class: 'tabular muted' }, exactTimeOf(entry.at))))),
    h('h3', {}, 'Content'),
    h('div', { class: 'code-box' }, h('button', { class: 'icon-button', 'aria-label': 'Copy the content', onclick: () => copy(json) }, icon('copy', 'small')), h('pre', {}, json)));
}

/** Phones to choose from, and a new one. */
export function phonesSheet(handsets, current, choose) {
  const problem = h('p', { class: 'problem', role: 'alert' });
  const number = h('input', { name: 'wa_id', inputmode: 'tel', autocomplete: 'off', placeholder: '+91 98765 43210', required: true, maxlength: 24 });
  const name = h('input', { name: 'name', autocomplete: 'off', placeholder: 'Asha Rao', maxlength: 60 });
  const form = h('form', { class: 'new-phone', onsubmit: async (event) => {
    event.preventDefault();
    try {
      const made = await api.makeHandset({ wa_id: number.value, name: name.value });
      dialog.close();
      choose(made.wa_id);
    } catch (error) {
      problem.textContent = error.message;
      number.focus();
    }
  } },
  h('h3', {}, 'New phone'),
  h('label', { class: 'field' }, h('span', {}, 'Number'), number, h('small', {}, 'With country code. +1 555 01 to 04, and ...5550 1 to 4 by SMS, misbehave on purpose: see the README.')),
  h('label', { class: 'field' }, h('span', {}, 'Name'), name),
  problem, h('button', { class: 'button primary', type: 'submit' }, icon('plus', 'small'), 'Create phone'));
  const dialog = sheet('Phones', 'middle',
    handsets.length === 0 ? null : h('ul', { class: 'phones' }, handsets.map((handset) => h('li', {}, h('button', { class: 'phone-row', 'aria-current': handset.wa_id === current ? 'true' : null,
      onclick: () => { dialog.close(); choose(handset.wa_id); } },
    avatar(handset.name || handset.number, handset.wa_id), h('span', { class: 'phone-words' }, h('strong', {}, handset.name || handset.number), h('small', { class: 'tabular' }, handset.number)),
    handset.online ? null : h('span', { class: 'badge' }, 'Offline'), handset.unread > 0 ? h('span', { class: 'count' }, handset.unread) : null)))),
    form);
  if (handsets.length === 0)
    number.focus();
}

/** A place to send. */
export function locationSheet(send) {
  const field = (name, label, value, type = 'text') => h('label', { class: 'field' }, h('span', {}, label), h('input', { name, value, type, step: 'any', autocomplete: 'off' }));
  const problem = h('p', { class: 'problem', role: 'alert' });
  const form = h('form', { class: 'stack', onsubmit: async (event) => {
    event.preventDefault();
    const data = Object.fromEntries(new FormData(form));
    try {
      await send({ type: 'location', latitude: Number(data.latitude), longitude: Number(data.longitude), name: data.name, address: data.address });
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
    }
  } },
  field('name', 'Name', 'India Gate'), field('address', 'Address', 'Kartavya Path, New Delhi'),
  h('div', { class: 'pair' }, field('latitude', 'Latitude', '28.612912', 'number'), field('longitude', 'Longitude', '77.229510', 'number')),
  problem, h('button', { class: 'button primary', type: 'submit' }, 'Send location'));
  const dialog = sheet('Send a location', 'middle', form);
}

/** A menu at a button. Arrow keys move, Escape leaves. */
export function menuAt(anchor, items, top = null) {
  document.querySelector('.menu')?.remove();
  const close = () => {
    menu.remove();
    document.removeEventListener('pointerdown', outside, true);
    if (anchor.isConnected)
      anchor.focus();
  };
  const outside = (event) => { if (!menu.contains(event.target)) close(); };
  const menu = h('div', { class: 'menu', role: 'menu', onkeydown: (event) => {
    const entries = [...menu.querySelectorAll('button')];
    const step = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault();
      close();
    } else if (step) {
      event.preventDefault();
      entries[(entries.indexOf(document.activeElement) + step + entries.length) % entries.length].focus();
    }
  } },
  top === null ? null : h('div', { class: 'menu-top' }, top.map(({ label, run, text, pressed }) => h('button', { role: 'menuitem', 'aria-label': label, class: pressed ? 'pressed' : null, onclick: () => { close(); run(); } }, text))),
  items.map(({ label, name, run }) => h('button', { class: 'menu-item', role: 'menuitem', onclick: () => { close(); run(); } }, icon(name, 'small'), label)));
  document.body.append(menu);
  const box = anchor.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - menu.offsetWidth - 8))}px`;
  menu.style.top = `${box.bottom + menu.offsetHeight + 8 > innerHeight ? Math.max(8, box.top - menu.offsetHeight - 4) : box.bottom + 4}px`;
  menu.querySelector('button')?.focus();
  document.addEventListener('pointerdown', outside, true);
}

export { toast };
