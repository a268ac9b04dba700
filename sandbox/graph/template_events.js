// @ts-check
/** What Meta does to a template by itself, and tells by webhook: reviews, pauses, quality, categories, edits from elsewhere. */
import { GraphError } from './errors.js';

const QUALITIES = ['GREEN', 'YELLOW', 'RED', 'UNKNOWN'];
const CATEGORIES = ['MARKETING', 'UTILITY', 'AUTHENTICATION'];
/** Why a review refuses, by a word in the template's name: `reject_scam`. */
const REASONS = ['ABUSIVE_CONTENT', 'CATEGORY_NOT_AVAILABLE', 'INCORRECT_CATEGORY', 'INVALID_FORMAT', 'PROMOTIONAL', 'SCAM', 'TAG_CONTENT_MISMATCH'];
const ADVICE = /** @type {Record<string, {reason: string, recommendation: string}>} */ ({
    INCORRECT_CATEGORY: { reason: 'The content does not fit the category.', recommendation: 'Hand it in with another category.' },
    INVALID_FORMAT: { reason: 'Variables or other elements are not formatted as they should be.', recommendation: 'Look at the variables and their examples.' },
});
const PAUSES = ['FIRST_PAUSE', 'SECOND_PAUSE', 'RATE_LIMITING_PAUSE'];
const MARKS = ['FLAGGED', 'LOCKED'];
const BACK = ['REINSTATED', 'UNARCHIVED'];

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Template} template @param {string} field @param {Record<string, any>} value */
const tell = (sb, template, field, value) => sb.webhooks.enqueue({ waba_id: template.waba_id, field, key: template.id, timed: true, value: {
    message_template_id: Number(template.id), message_template_name: template.name, message_template_language: template.language, ...value,
} });

/** The reason of a review that refuses, or undefined. @param {string} name */
export function refusalOf(name) {
    const found = /reject(?:_([a-z_]+))?/.exec(name);
    if (found === null)
        return undefined;
    return REASONS.find((reason) => (found[1] ?? '').toUpperCase().startsWith(reason)) ?? 'INCORRECT_CATEGORY';
}

/**
 * A new state, told by webhook. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Template} template
 * @param {string} event @param {string} [reason]
 */
export function setTemplateStatus(sb, template, event, reason = 'NONE') {
    if (!MARKS.includes(event))
        template.status = BACK.includes(event) ? 'APPROVED' : event;
    template.rejected_reason = event === 'REJECTED' ? reason : undefined;
    template.review_at = undefined;
    /** @type {Record<string, any>} */
    const more = {};
    if (event === 'PAUSED') {
        template.pauses = (template.pauses ?? 0) + 1;
        more.other_info = { title: PAUSES[Math.min(template.pauses, 2) - 1], description: `Paused for ${template.pauses === 1 ? 3 : 6} hours for low quality.` };
    }
    if (event === 'DISABLED')
        more.disable_info = { disable_date: Math.floor(sb.now() / 1000) };
    if (event === 'REJECTED' && ADVICE[reason] !== undefined)
        more.rejection_info = ADVICE[reason];
    sb.store.put('template', template.id, template);
    sb.bus.emit('template', template);
    tell(sb, template, 'message_template_status_update', { event, reason, message_template_category: template.category, ...more });
}

/** It was deleted. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Template} template */
export function setTemplateGone(sb, template) {
    sb.bus.emit('template', template);
    tell(sb, template, 'message_template_status_update', { event: 'DELETED', reason: 'NONE', message_template_category: template.category });
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Template} template @param {string} score */
function setQuality(sb, template, score) {
    const before = template.quality ?? 'UNKNOWN';
    template.quality = score;
    template.quality_at = Math.floor(sb.now() / 1000);
    sb.store.put('template', template.id, template);
    tell(sb, template, 'message_template_quality_update', { previous_quality_score: before, new_quality_score: score });
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Template} template @param {string} category */
function setCategory(sb, template, category) {
    template.previous_category = template.category;
    template.category = category;
    template.correct_category = undefined;
    sb.store.put('template', template.id, template);
    tell(sb, template, 'template_category_update', { previous_category: template.previous_category, new_category: category });
}

/** The notice a day ahead; after_ms brings the change itself. @param {import('./sandbox.js').Sandbox} sb
 * @param {import('./types.js').Template} template @param {string} category @param {number} afterMs */
function announceCategory(sb, template, category, afterMs) {
    template.correct_category = category;
    sb.store.put('template', template.id, template);
    tell(sb, template, 'template_category_update', { new_category: template.category, correct_category: category,
        category_update_timestamp: Math.floor((sb.now() + afterMs) / 1000) });
    sb.later(afterMs, () => {
        const now = sb.store.templates.get(template.id);
        if (now?.correct_category === category)
            setCategory(sb, now, category);
    });
}

/** @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Template} template @param {any[]} components */
function setComponents(sb, template, components) {
    template.components = components;
    sb.store.put('template', template.id, template);
    const of = /** @param {string} type */ (type) => components.find((component) => component.type === type);
    tell(sb, template, 'message_template_components_update', {
        ...(of('HEADER')?.text === undefined ? {} : { message_template_title: of('HEADER').text }),
        message_template_element: of('BODY')?.text ?? '',
        ...(of('FOOTER') === undefined ? {} : { message_template_footer: of('FOOTER').text }),
        ...(of('BUTTONS') === undefined ? {} : { message_template_buttons: of('BUTTONS').buttons.map((/** @type {any} */ button) => ({
            message_template_button_type: button.type, message_template_button_text: button.text,
            ...(button.url === undefined ? {} : { message_template_button_url: button.url }),
            ...(button.phone_number === undefined ? {} : { message_template_button_phone_number: button.phone_number }) })) }),
    });
}

/**
 * The control API's change of a template: {event, reason}, {quality}, {category}, {correct_category, after_ms}, {components}.
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Template} template @param {any} body
 * @returns {string|null} what is wrong with it
 */
export function changeByHand(sb, template, body) {
    const word = /** @param {string} member */ (member) => (typeof body[member] === 'string' ? body[member].toUpperCase() : undefined);
    const [event, quality, category, correct] = [word('event'), word('quality'), word('category'), word('correct_category')];
    if (quality !== undefined && !QUALITIES.includes(quality))
        return `quality: one of ${QUALITIES.join(', ')}`;
    if ([category, correct].some((given) => given !== undefined && !CATEGORIES.includes(given)))
        return `category: one of ${CATEGORIES.join(', ')}`;
    if (event === undefined && quality === undefined && category === undefined && correct === undefined && !Array.isArray(body.components))
        return 'give {event: APPROVED, REJECTED, PAUSED, DISABLED ..., reason}, {quality}, {category}, {correct_category, after_ms} or {components}';
    if (event !== undefined)
        setTemplateStatus(sb, template, event, word('reason') ?? (event === 'REJECTED' ? 'INCORRECT_CATEGORY' : undefined));
    if (quality !== undefined)
        setQuality(sb, template, quality);
    if (category !== undefined)
        setCategory(sb, template, category);
    if (correct !== undefined)
        announceCategory(sb, template, correct, Number.isFinite(Number(body.after_ms)) && body.after_ms !== undefined ? Number(body.after_ms) : 86_400_000);
    if (Array.isArray(body.components))
        setComponents(sb, template, body.components);
    return null;
}

/** POST /T/unpause. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Template} template */
export function unpauseTemplate(sb, template) {
    if (template.status !== 'PAUSED')
        throw new GraphError(100, { subcode: 2388039, userTitle: 'Template Status Cannot Be Changed', transient: false });
    setTemplateStatus(sb, template, 'APPROVED');
    return { success: true };
}

/** GET /T/compare?template_ids&start&end. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Template} template @param {URLSearchParams} query */
export function compareTemplates(sb, template, query) {
    const ids = (query.get('template_ids') ?? '').replace(/[[\]"'\s]/g, '').split(',').filter((id) => id !== '');
    const others = ids.map((id) => sb.store.templates.get(id));
    if (others.length === 0 || others.some((other) => other === undefined || other.waba_id !== template.waba_id) || query.get('start') === null || query.get('end') === null)
        throw new GraphError(100, { message: 'Invalid parameter', details: 'template_ids, start and end are required, and of this account', transient: false });
    const all = [template, .../** @type {import('./types.js').Template[]} */ (others)];
    const sends = all.map((one) => ({ key: one.id, value: [...sb.store.messages.values()].filter((message) => message.direction === 'out' && message.type === 'template'
        && message.content?.name === one.name && message.content?.language?.code === one.language).length }));
    return { data: [
        { metric: 'BLOCK_RATE', type: 'RELATIVE', order_by_relative_metric: all.map((one) => one.id) },
        { metric: 'MESSAGE_SENDS', type: 'NUMBER_VALUES', number_values: sends },
        { metric: 'TOP_BLOCK_REASON', type: 'STRING_VALUES', string_values: all.map((one) => ({ key: one.id, value: 'UNKNOWN_BLOCK_REASON' })) },
    ] };
}
