/** Words: times, and the marks that WhatsApp gives meaning to. */
import { h } from './dom.js';

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const clockLong = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });

export const timeOf = (at) => clock.format(at);
export const exactTimeOf = (at) => clockLong.format(at);
export const fullTimeOf = (at) => full.format(at);

export function dayOf(at, now = Date.now()) {
  const date = new Date(at).toDateString();
  if (date === new Date(now).toDateString())
    return 'Today';
  return date === new Date(now - 86_400_000).toDateString() ? 'Yesterday' : day.format(at);
}

export const shortTimeOf = (at, now = Date.now()) => (dayOf(at, now) === 'Today' ? timeOf(at) : dayOf(at, now) === 'Yesterday' ? 'Yesterday'
  : new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' }).format(at));

export function spanOf(ms) {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  return minutes >= 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes} min`;
}

export const sizeOf = (bytes) => (bytes >= 1048576 ? `${(bytes / 1048576).toFixed(1)} MB` : bytes >= 1024 ? `${Math.round(bytes / 1024)} KB` : `${bytes} B`);

const MARKS = [
  { pattern: /```([\s\S]+?)```/, tag: 'code', plain: true },
  { pattern: /`([^`\n]+)`/, tag: 'code', plain: true },
  { pattern: /(?<![\p{L}\p{N}*])\*(\S(?:[^*\n]*\S)?)\*(?![\p{L}\p{N}*])/u, tag: 'strong' },
  { pattern: /(?<![\p{L}\p{N}_])_(\S(?:[^_\n]*\S)?)_(?![\p{L}\p{N}_])/u, tag: 'em' },
  { pattern: /(?<![\p{L}\p{N}~])~(\S(?:[^~\n]*\S)?)~(?![\p{L}\p{N}~])/u, tag: 's' },
];
const LINK = /\bhttps?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]]/;

/** *bold*, _italic_, ~struck~, `code` and links, as elements. */
export function formatted(text, depth = 0) {
  let first = null;
  for (const mark of [...MARKS, { pattern: LINK, tag: 'a' }]) {
    const match = mark.pattern.exec(text);
    if (match !== null && (first === null || match.index < first.match.index))
      first = { match, mark };
  }
  if (first === null || depth > 20)
    return text === '' ? [] : [text];
  const { match, mark } = first;
  const inner = mark.tag === 'a' ? h('a', { href: match[0], target: '_blank', rel: 'noopener noreferrer' }, match[0])
    : h(mark.tag, {}, mark.plain ? match[1] : formatted(match[1], depth + 1));
  return [...(match.index > 0 ? [text.slice(0, match.index)] : []), inner, ...formatted(text.slice(match.index + match[0].length), depth)];
}
