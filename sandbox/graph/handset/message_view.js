// @ts-check
/** A message as the handset shows it. */

/** @param {import('../sandbox.js').Sandbox} sb @param {import('../types.js').Message} message */
export function messageView(sb, message) {
    const had = message.statuses.map((entry) => entry.status);
    const failure = message.statuses.find((entry) => entry.status === 'failed')?.errors?.[0] ?? null;
    const arrived = message.direction === 'in' || had.includes('delivered') || had.includes('read') || (message.type === 'reaction' && had.includes('sent'));
    const quoted = message.context?.id === undefined ? undefined : sb.store.messages.get(message.context.id);
    return {
        id: message.id,
        phone_number_id: message.phone_number_id,
        wa_id: message.wa_id,
        direction: message.direction,
        type: message.type,
        at: message.at,
        content: message.content,
        view: message.view ?? null,
        media: mediaOf(sb, message),
        quoted: quoted === undefined ? null : { id: quoted.id, direction: quoted.direction, text: preview(quoted) },
        statuses: message.statuses,
        status: had.includes('failed') ? 'failed' : had.includes('read') ? 'read' : had.includes('delivered') ? 'delivered' : had.includes('sent') ? 'sent' : 'accepted',
        failure,
        held: message.held === true,
        category: message.category ?? null,
        opaque: message.biz_opaque_callback_data,
        reaction: message.reaction ?? null,
        visible: message.type !== 'reaction' && (arrived || failure !== null),
    };
}

/** Media that this page can show, by part of the message. @param {import('../sandbox.js').Sandbox} sb @param {import('../types.js').Message} message */
function mediaOf(sb, message) {
    const held = message.type === 'template' ? message.view?.header?.media
        : message.type === 'interactive' ? message.content.header?.[message.content.header.type] : message.content;
    if (typeof held !== 'object' || held === null)
        return null;
    const id = held.id ?? sb.linkMedia.get(held.link ?? '');
    const media = id === undefined ? undefined : sb.store.media.get(String(id));
    if (media !== undefined)
        return { url: `/handset/media/${media.id}`, mime_type: media.mime_type, file_size: media.file_size, filename: held.filename ?? media.filename ?? null, link: held.link ?? null };
    return typeof held.link === 'string' ? { url: null, mime_type: null, file_size: null, filename: held.filename ?? null, link: held.link } : null;
}

const NAMES = /** @type {Record<string, string>} */ ({ image: 'Photo', video: 'Video', audio: 'Audio', document: 'Document', sticker: 'Sticker', location: 'Location',
    contacts: 'Contact', order: 'Order', unsupported: 'Unsupported message', request_welcome: 'Opened the chat', system: 'Notice' });

/** One line for the list of chats and for quotes. @param {import('../types.js').Message} message @returns {string} */
export function preview(message) {
    const { content, type } = message;
    const text = type === 'text' ? content.body
        : type === 'template' ? message.view?.body
            : type === 'button' ? content.text
                : type === 'interactive' ? content.button_reply?.title ?? content.list_reply?.title ?? content.body?.text
                    : type === 'reaction' ? `Reacted ${content.emoji ?? ''}`
                        : type === 'contacts' ? content[0]?.name?.formatted_name
                            : content.caption ?? content.filename ?? content.name;
    const line = typeof text === 'string' ? text.replace(/\s+/g, ' ').slice(0, 160) : '';
    return NAMES[type] === undefined || line === '' ? (line === '' ? NAMES[type] ?? 'Message' : line) : `${NAMES[type]}: ${line}`;
}
