/** Where a person writes. */
import { h, icon, toast } from './dom.js';
import { api } from './api.js';
import { locationSheet, menuAt } from './sheets.js';

const FILE_MAX = 16 * 1024 * 1024;

/** @param {{isSms: boolean, waId: string, phoneId: string, replyTo: any, cancelReply: () => void, sent: (message: any) => void}} context */
export function composer(context) {
  const { waId, phoneId, replyTo } = context;
  const box = h('textarea', { class: 'compose-box', rows: 1, placeholder: context.isSms ? 'Text message' : 'Message', 'aria-label': 'Message', dir: 'auto', maxlength: 65536 });
  const picker = h('input', { type: 'file', class: 'visually-hidden', tabindex: -1, 'aria-hidden': 'true' });
  const grow = () => {
    box.style.height = 'auto';
    box.style.height = `${Math.min(140, box.scrollHeight)}px`;
    submit.disabled = box.value.trim() === '';
  };
  const post = async (body) => {
    const message = await api.write(waId, phoneId, replyTo === null ? body : { ...body, reply_to: replyTo.id });
    context.sent(message);
  };
  const send = async () => {
    const text = box.value.trim();
    if (text === '')
      return;
    box.value = '';
    grow();
    try {
      await post({ type: 'text', text });
    } catch (error) {
      box.value = text; /* nothing that was typed is lost */
      grow();
      toast(error.message, 'bad');
    }
  };
  picker.addEventListener('change', async () => {
    const [file] = picker.files;
    picker.value = '';
    if (!file)
      return;
    if (file.size > FILE_MAX) {
      toast('A file may have 16 MB here.', 'bad');
      return;
    }
    try {
      context.sent(await api.attach(waId, phoneId, file, box.value.trim()));
      box.value = '';
      grow();
    } catch (error) {
      toast(error.message, 'bad');
    }
  });
  const choose = (accept) => { picker.accept = accept; picker.click(); };
  const clip = h('button', { class: 'icon-button', type: 'button', 'aria-label': 'Attach', 'aria-haspopup': 'menu', onclick: (event) => menuAt(event.currentTarget, [
    { label: 'Photo or video', name: 'image', run: () => choose('image/*,video/*') },
    { label: 'Document', name: 'file', run: () => choose('') },
    { label: 'Location', name: 'pin', run: () => locationSheet(post) },
  ]) }, icon('clip'));
  const submit = h('button', { class: 'send-button', type: 'submit', 'aria-label': 'Send', disabled: true }, icon('send'));
  box.addEventListener('input', grow);
  box.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      void send();
    }
  });
  const form = h('form', { class: 'composer', onsubmit: (event) => { event.preventDefault(); void send(); } },
    replyTo === null ? null : h('div', { class: 'reply-bar' }, h('span', { class: 'quote' }, h('strong', {}, replyTo.direction === 'in' ? 'You' : 'Business'), h('span', {}, replyTo.text)),
      h('button', { class: 'icon-button', type: 'button', 'aria-label': 'Do not answer this message', onclick: context.cancelReply }, icon('close'))),
    h('div', { class: 'compose-row' }, clip, picker, box, submit));
  if (context.isSms)
    clip.remove(); /* an SMS has words only */
  return { element: form, focus: () => box.focus(), draft: () => box.value, setDraft: (text) => { box.value = text; grow(); } };
}
