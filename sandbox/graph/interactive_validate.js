// @ts-check
/** Interactive messages: the limits of each kind. Titles, ids and descriptions answer with 131009, as Meta's do. */
import { array, choice, keys, lengthOf, number, object, optionalText, partMissing, text, valueInvalid, webLink } from './check.js';
import { validateMedia } from './media_refs.js';

const ORDER_EXPIRY_S_MIN = 290; /* Meta's 300, less what a clock and the way may differ */

/** @typedef {import('./media_refs.js').MediaRef} MediaRef */

/** type: [kinds of header, is the body needed, most characters of the body] */
const KINDS = /** @type {Record<string, [string[], boolean, number]>} */ ({
    button: [['text', 'image', 'video', 'document'], true, 1024],
    list: [['text'], true, 1024], /* or as the setting says */
    cta_url: [['text', 'image', 'video', 'document'], true, 1024],
    location_request_message: [[], true, 1024],
    address_message: [[], true, 1024],
    product: [[], false, 1024],
    product_list: [['text'], true, 1024],
    catalog_message: [[], true, 1024],
    flow: [['text', 'image', 'video', 'document'], true, 1024],
    carousel: [[], true, 1024],
    order_details: [['image'], true, 1024],
    order_status: [[], true, 1024],
    voice_call: [[], true, 1024],
    call_permission_request: [[], false, 1024],
});

/** @param {Record<string, any>} interactive @param {number} listBodyMax @returns {MediaRef[]} the media that it points to */
export function validateInteractive(interactive, listBodyMax) {
    keys(interactive, 'interactive', ['type', 'header', 'body', 'footer', 'action']);
    const type = choice(interactive.type, "interactive['type']", Object.keys(KINDS));
    const [headers, needsBody, bodyMax] = KINDS[type];
    const media = /** @type {MediaRef[]} */ ([]);
    if (interactive.header !== undefined)
        validateHeader(interactive.header, headers, type, media);
    else if (type === 'product_list')
        throw partMissing('Header is required for interactive type product_list.');
    if (interactive.body !== undefined || needsBody)
        bounded(object(interactive.body, "interactive['body']").text, "interactive['body']['text']", 'Body text', 1, type === 'list' ? listBodyMax : bodyMax);
    if (interactive.footer !== undefined)
        bounded(object(interactive.footer, "interactive['footer']").text, "interactive['footer']['text']", 'Footer text', 1, 60);
    const action = object(interactive.action, "interactive['action']");
    ACTIONS[type](action, media);
    return media;
}

/** @param {unknown} value @param {string} path @param {string} name @param {number} min @param {number} max @returns {string} */
function bounded(value, path, name, min, max) {
    if (value === undefined || value === null)
        throw partMissing(`${path} is required.`);
    if (typeof value !== 'string' || lengthOf(value) < min || lengthOf(value) > max)
        throw valueInvalid(`${name} length invalid. Min length: ${min}, Max length: ${max}`);
    return value;
}

/** @param {any} value @param {string[]} allowed @param {string} type @param {MediaRef[]} media */
function validateHeader(value, allowed, type, media) {
    const header = object(value, "interactive['header']");
    const kind = choice(header.type, "interactive['header']['type']", ['text', 'image', 'video', 'document']);
    if (!allowed.includes(kind))
        throw valueInvalid(`Header type ${kind} is not supported for interactive type ${type}.`);
    if (kind === 'text')
        bounded(header.text, "interactive['header']['text']", 'Header text', 1, 60);
    else
        media.push(validateMedia(kind, object(header[kind], `interactive['header']['${kind}']`), `interactive['header']['${kind}']`));
}

/** @param {Record<string, any>} action @param {string} name */
function named(action, name) {
    if (action.name !== name)
        throw valueInvalid(`interactive['action']['name'] must be ${name}.`);
    return action.parameters === undefined ? {} : object(action.parameters, "interactive['action']['parameters']");
}

/** @param {string[]} values @param {string} what */
function unique(values, what) {
    if (new Set(values).size !== values.length)
        throw valueInvalid(`Duplicated ${what}.`);
}

/** @param {Record<string, any>} action */
function buttons(action) {
    const list = array(action.buttons, "interactive['action']['buttons']", 1, 3);
    const replies = list.map((item, i) => {
        const path = `interactive['action']['buttons'][${i}]`;
        choice(object(item, path).type, `${path}['type']`, ['reply']);
        const reply = object(item.reply, `${path}['reply']`);
        return { id: bounded(reply.id, `${path}['reply']['id']`, 'Button id', 1, 256),
            title: bounded(reply.title, `${path}['reply']['title']`, 'Button title', 1, 20) };
    });
    unique(replies.map((reply) => reply.id), 'button id');
    unique(replies.map((reply) => reply.title), 'button title');
}

/** @param {Record<string, any>} action */
function list(action) {
    bounded(action.button, "interactive['action']['button']", 'Button label', 1, 20);
    const sections = array(action.sections, "interactive['action']['sections']", 1, 10);
    const ids = /** @type {string[]} */ ([]);
    sections.forEach((item, i) => {
        const path = `interactive['action']['sections'][${i}]`;
        const section = object(item, path);
        if (sections.length > 1 || section.title !== undefined)
            bounded(section.title, `${path}['title']`, 'Section title', 1, 24);
        array(section.rows, `${path}['rows']`, 1, 10).forEach((entry, j) => {
            const row = object(entry, `${path}['rows'][${j}]`);
            ids.push(bounded(row.id, `${path}['rows'][${j}]['id']`, 'Row id', 1, 200));
            bounded(row.title, `${path}['rows'][${j}]['title']`, 'Row title', 1, 24);
            if (row.description !== undefined && row.description !== '')
                bounded(row.description, `${path}['rows'][${j}]['description']`, 'Row description', 1, 72);
        });
    });
    if (ids.length > 10)
        throw valueInvalid('Total row count exceed max allowed count: 10');
    unique(ids, 'row id');
}

/** @param {Record<string, any>} action */
function ctaUrl(action) {
    const parameters = named(action, 'cta_url');
    bounded(parameters.display_text, "interactive['action']['parameters']['display_text']", 'Display text', 1, 20);
    webLink(parameters.url, "interactive['action']['parameters']['url']");
}

/** @param {Record<string, any>} action */
function productList(action) {
    text(action.catalog_id, "interactive['action']['catalog_id']", 128);
    const sections = array(action.sections, "interactive['action']['sections']", 1, 10);
    let products = 0;
    sections.forEach((item, i) => {
        const path = `interactive['action']['sections'][${i}]`;
        const section = object(item, path);
        if (sections.length > 1 || section.title !== undefined)
            bounded(section.title, `${path}['title']`, 'Section title', 1, 24);
        for (const [j, product] of array(section.product_items, `${path}['product_items']`, 1, 30).entries())
            text(object(product, path).product_retailer_id, `${path}['product_items'][${j}]['product_retailer_id']`, 128);
        products += section.product_items.length;
    });
    if (products > 30)
        throw valueInvalid('Total product count exceed max allowed count: 30');
}

/** @param {Record<string, any>} action */
function flow(action) {
    const path = "interactive['action']['parameters']";
    const parameters = named(action, 'flow');
    if (parameters.flow_id === undefined && parameters.flow_name === undefined)
        throw partMissing(`${path} needs flow_id or flow_name.`);
    if (String(parameters.flow_message_version ?? '') !== '3')
        throw valueInvalid(`${path}['flow_message_version'] must be 3.`);
    bounded(parameters.flow_cta, `${path}['flow_cta']`, 'Flow CTA', 1, 30);
    if (parameters.mode !== undefined)
        choice(parameters.mode, `${path}['mode']`, ['published', 'draft']);
    const next = parameters.flow_action === undefined ? 'navigate' : choice(parameters.flow_action, `${path}['flow_action']`, ['navigate', 'data_exchange']);
    if (next === 'navigate' && parameters.flow_action_payload !== undefined)
        text(object(parameters.flow_action_payload, `${path}['flow_action_payload']`).screen, `${path}['flow_action_payload']['screen']`, 256);
}

/** @param {Record<string, any>} action @param {MediaRef[]} media */
function carousel(action, media) {
    const cards = array(action.cards, "interactive['action']['cards']", 2, 10);
    const shapes = new Set();
    cards.forEach((item, i) => {
        const path = `interactive['action']['cards'][${i}]`;
        const card = object(item, path);
        number(card.card_index, `${path}['card_index']`, 0, 9);
        if (card.type === 'product') {
            text(object(card.action, `${path}['action']`).product_retailer_id, `${path}['action']['product_retailer_id']`, 128);
            shapes.add('product');
            return;
        }
        const header = object(card.header, `${path}['header']`);
        const kind = choice(header.type, `${path}['header']['type']`, ['image', 'video']);
        media.push(validateMedia(kind, object(header[kind], `${path}['header']['${kind}']`), `${path}['header']['${kind}']`));
        if (card.body !== undefined)
            bounded(object(card.body, `${path}['body']`).text, `${path}['body']['text']`, 'Card body text', 1, 160);
        object(card.action, `${path}['action']`);
        shapes.add(`${kind}/${card.action.buttons === undefined ? 'cta_url' : card.action.buttons.length}`);
    });
    if (shapes.size > 1)
        throw valueInvalid('All cards of a carousel must have the same header type and the same buttons.');
}

/** @param {Record<string, any>} action */
function orderDetails(action) {
    const path = "interactive['action']['parameters']";
    const parameters = named(action, 'review_and_pay');
    const reference = text(parameters.reference_id, `${path}['reference_id']`, 60);
    if (!/^[A-Za-z0-9_.-]{1,60}$/.test(reference))
        throw valueInvalid(`${path}['reference_id'] may hold letters, digits, _ . and - only.`);
    text(parameters.currency, `${path}['currency']`, 3);
    const order = object(parameters.order, `${path}['order']`);
    array(order.items, `${path}['order']['items']`, 1, 999);
    /** @param {any} part */
    const value = (part) => Number(part?.value ?? 0);
    const sum = value(order.subtotal) + value(order.tax) + value(order.shipping) - value(order.discount);
    if (value(object(parameters.total_amount, `${path}['total_amount']`)) !== sum)
        throw valueInvalid(`${path}['total_amount'] must be subtotal + tax + shipping - discount.`);
    if (order.expiration !== undefined && !(Number(object(order.expiration, `${path}['order']['expiration']`).timestamp) >= Date.now() / 1000 + ORDER_EXPIRY_S_MIN))
        throw valueInvalid(`${path}['order']['expiration']['timestamp'] must be at least ${ORDER_EXPIRY_S_MIN} seconds ahead.`);
}

/** @param {Record<string, any>} action */
function orderStatus(action) {
    const path = "interactive['action']['parameters']";
    const parameters = named(action, 'review_order');
    text(parameters.reference_id, `${path}['reference_id']`, 60);
    choice(object(parameters.order, `${path}['order']`).status, `${path}['order']['status']`,
        ['pending', 'processing', 'partially-shipped', 'shipped', 'completed', 'canceled']);
}

/** @type {Record<string, (action: Record<string, any>, media: MediaRef[]) => void>} */
const ACTIONS = {
    button: buttons,
    list,
    cta_url: ctaUrl,
    location_request_message: (action) => { named(action, 'send_location'); },
    address_message: (action) => { text(named(action, 'address_message').country, "interactive['action']['parameters']['country']", 2); },
    product: (action) => {
        text(action.catalog_id, "interactive['action']['catalog_id']", 128);
        text(action.product_retailer_id, "interactive['action']['product_retailer_id']", 128);
    },
    product_list: productList,
    catalog_message: (action) => { named(action, 'catalog_message'); },
    flow,
    carousel,
    order_details: orderDetails,
    order_status: orderStatus,
    voice_call: (action) => { optionalText(named(action, 'voice_call').display_text, "interactive['action']['parameters']['display_text']", 20); },
    call_permission_request: (action) => { named(action, 'call_permission_request'); },
};
