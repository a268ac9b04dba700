// @ts-check
/** Message templates: create, edit, list, delete, and the review that approves them. */
import { GraphError, invalid, missing, unknownObject } from './errors.js';
import { array, choice, object, text } from './check.js';
import { newId } from './wamid.js';
import { pageOf, pickFields } from './paging.js';
import { checkComponents } from './template_rules.js';
import { refusalOf, setTemplateGone, setTemplateStatus } from './template_events.js';
import { fromLibrary } from './template_library.js';
import { takeSamples } from './uploads.js';


const CATEGORIES = ['marketing', 'utility', 'authentication'];
const TEMPLATES_MAX = 250;
const DAY_MS = 86_400_000;

/** Every account of Meta's has this one. @param {string} wabaId @returns {import('./types.js').Template} */
export const helloWorld = (wabaId) => ({
    id: newId(), waba_id: wabaId, name: 'hello_world', language: 'en_US', category: 'UTILITY', status: 'APPROVED', parameter_format: 'POSITIONAL',
    components: [
        { type: 'HEADER', format: 'TEXT', text: 'Hello World' },
        { type: 'BODY', text: 'Welcome and congratulations!! This message demonstrates your ability to send a WhatsApp message notification '
            + 'from the Cloud API, hosted by Meta. Thank you for taking the time to test with us.' },
        { type: 'FOOTER', text: 'WhatsApp Business Platform sample message' },
    ],
});

/** @param {import('./sandbox.js').Sandbox} sb @param {string} wabaId */
export const templatesOf = (sb, wabaId) => [...sb.store.templates.values()].filter((template) => template.waba_id === wabaId);

/** @param {import('./sandbox.js').Sandbox} sb @param {string} wabaId @param {string} name @param {string} language */
export const findTemplate = (sb, wabaId, name, language) => templatesOf(sb, wabaId).find((template) => template.name === name && template.language === language);

/** POST /W/message_templates. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account @param {any} body */
export function createTemplate(sb, account, body) {
    const name = text(body.name, 'name', 512);
    if (!/^[a-z0-9_]+$/.test(name))
        throw invalid('Param name must contain only lower case alphanumeric characters and underscores (_).');
    const language = text(body.language, 'language', 16);
    if (!/^[a-z]{2,3}(_[A-Z]{2,4})?$/.test(language))
        throw invalid(`Param language must be a language code - got "${language}".`);
    const category = choice(body.category, 'category', CATEGORIES).toUpperCase();
    const format = body.parameter_format === undefined ? 'POSITIONAL' : choice(body.parameter_format, 'parameter_format', ['positional', 'named']).toUpperCase();
    const library = body.library_template_name === undefined ? null : fromLibrary(body);
    const components = normalise(library?.components ?? array(body.components, 'components', 1, 30));
    if (findTemplate(sb, account.waba_id, name, language) !== undefined)
        throw new GraphError(100, { subcode: 2388024, userTitle: 'Content in This Language Already Exists',
            userMsg: `There is already ${language} content for this template. You can create a new template and try again.`, transient: false });
    if (templatesOf(sb, account.waba_id).length >= TEMPLATES_MAX)
        throw new GraphError(100, { subcode: 2388019, userTitle: 'Template Limit Exceeded', transient: false });
    if (library !== null && library.category !== category)
        throw invalid('The category is not the one of the template in the library.');
    checkComponents(components, category, format);
    /** @type {import('./types.js').Template} */
    const template = { id: newId(), waba_id: account.waba_id, name, language, category, status: library === null ? 'PENDING' : 'APPROVED', parameter_format: format,
        components: stored(library === null ? takeSamples(sb, account, components) : components, category), edits: [],
        ...(library === null ? { review_at: sb.now() + sb.setting('template_review_ms', account.waba_id) } : {}),
        ...(body.message_send_ttl_seconds === undefined ? {} : { message_send_ttl_seconds: body.message_send_ttl_seconds }) };
    sb.store.put('template', template.id, template);
    sb.bus.emit('template', template);
    if (library === null)
        awaitReview(sb, template);
    return { id: template.id, status: template.status, category: template.category };
}

/** POST /T. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account
 * @param {import('./types.js').Template} template @param {any} body */
export function editTemplate(sb, account, template, body) {
    if (!['APPROVED', 'REJECTED', 'PAUSED'].includes(template.status))
        throw new GraphError(100, { subcode: 2388039, userTitle: 'Template Status Cannot Be Changed', transient: false });
    const now = sb.now();
    const edits = (template.edits ?? []).filter((at) => now - at < 30 * DAY_MS);
    if (template.status === 'APPROVED') {
        if (edits.length >= 10 || edits.some((at) => now - at < DAY_MS))
            throw new GraphError(100, { message: 'Invalid parameter', userTitle: 'Message Template Cannot Be Edited',
                userMsg: 'An approved template can be edited once in 24 hours and 10 times in 30 days.', transient: false });
        if (body.category !== undefined && choice(body.category, 'category', CATEGORIES).toUpperCase() !== template.category)
            throw invalid('The category of an approved template cannot be changed.');
        template.edits = [...edits, now];
    }
    if (body.category !== undefined)
        template.category = choice(body.category, 'category', CATEGORIES).toUpperCase();
    if (body.components !== undefined) {
        const components = normalise(array(body.components, 'components', 1, 30));
        checkComponents(components, template.category, template.parameter_format);
        template.components = stored(takeSamples(sb, account, components), template.category);
    }
    template.status = 'PENDING';
    template.review_at = now + sb.setting('template_review_ms', template.waba_id);
    sb.store.put('template', template.id, template);
    awaitReview(sb, template);
    return { success: true };
}

/** DELETE /W/message_templates?name= or ?hsm_id=&name=. @param {import('./sandbox.js').Sandbox} sb
 * @param {import('./types.js').Account} account @param {URLSearchParams} query */
export function deleteTemplates(sb, account, query) {
    const name = query.get('name');
    const id = query.get('hsm_id');
    if (name === null)
        throw missing('name');
    const found = templatesOf(sb, account.waba_id).filter((template) => template.name === name && (id === null || template.id === id));
    if (found.length === 0)
        throw new GraphError(100, { subcode: 2593002, userTitle: 'Message Template Not Found', userMsg: 'The message template does not exist.', transient: false });
    for (const template of found) {
        if (template.status === 'DISABLED')
            throw invalid('A disabled template cannot be deleted.');
        sb.store.remove('template', template.id);
        setTemplateGone(sb, template);
    }
    return { success: true };
}

/** GET /W/message_templates. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account
 * @param {URLSearchParams} query @param {string} base the URL of this list */
export function listTemplates(sb, account, query, base) {
    const fits = /** @param {string} name @param {string} value */ (name, value) => {
        const wanted = query.get(name);
        return wanted === null || wanted.toUpperCase() === value.toUpperCase();
    };
    const found = templatesOf(sb, account.waba_id).filter((template) => fits('status', template.status) && fits('language', template.language)
        && fits('category', template.category) && (query.get('name') === null || template.name.includes(String(query.get('name')))));
    const fields = query.get('fields') ?? 'name,parameter_format,components,language,status,category';
    const page = pageOf(found.map((template) => ({ key: template.id, value: template })), query, base);
    return { ...page, data: page.data.map((template) => templateView(template, fields)) };
}

/** @param {import('./types.js').Template} template @param {string|null} fields */
export const templateView = (template, fields) => pickFields({
    id: template.id, name: template.name, parameter_format: template.parameter_format, components: template.components, language: template.language,
    status: template.status, category: template.category, quality_score: { score: template.quality ?? 'UNKNOWN', date: template.quality_at },
    previous_category: template.previous_category, correct_category: template.correct_category, rejected_reason: template.rejected_reason ?? 'NONE',
    message_send_ttl_seconds: template.message_send_ttl_seconds,
}, fields ?? 'name,parameter_format,components,language,status,category');

/** @param {import('./sandbox.js').Sandbox} sb */
export function resumeReviews(sb) {
    for (const template of sb.store.templates.values())
        if (template.status === 'PENDING')
            awaitReview(sb, template);
}

/** A name that holds "reject" is rejected ("reject_scam" as SCAM), any other approved. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Template} template */
function awaitReview(sb, template) {
    sb.later(Math.max(0, (template.review_at ?? 0) - sb.now()), () => {
        const now = sb.store.templates.get(template.id);
        if (now === undefined || now.status !== 'PENDING' || (now.review_at ?? 0) > sb.now() + 5)
            return;
        const refusal = refusalOf(now.name);
        if (refusal !== undefined)
            setTemplateStatus(sb, now, 'REJECTED', refusal);
        else
            setTemplateStatus(sb, now, 'APPROVED');
    });
}

/** Types and formats in capitals, as they come back. @param {any[]} components */
export function normalise(components) {
    return components.map((item, i) => {
        const component = { ...object(item, `components[${i}]`) };
        component.type = text(component.type, `components[${i}]['type']`, 64).toUpperCase();
        if (component.format !== undefined)
            component.format = String(component.format).toUpperCase();
        if (component.type === 'BUTTONS')
            component.buttons = array(component.buttons, `components[${i}]['buttons']`, 1, 10).map((entry, j) => {
                const button = { ...object(entry, `components[${i}]['buttons'][${j}]`) };
                button.type = text(button.type, `components[${i}]['buttons'][${j}]['type']`, 64).toUpperCase();
                return button;
            });
        return component;
    });
}

/** Authentication templates come back with Meta's own text and a URL button. @param {any[]} components @param {string} category */
function stored(components, category) {
    if (category !== 'AUTHENTICATION')
        return components;
    return components.map((component) => {
        if (component.type === 'BODY')
            return { ...component, text: '*{{1}}* is your verification code.' + (component.add_security_recommendation ? ' For your security, do not share this code.' : '') };
        if (component.type === 'FOOTER')
            return { ...component, text: `This code expires in ${component.code_expiration_minutes} minutes.` };
        if (component.type === 'BUTTONS')
            return { ...component, buttons: component.buttons.map((/** @type {any} */ button) => (button.type !== 'OTP' ? button
                : { type: 'URL', text: button.text ?? 'Copy code', url: 'https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}', otp: true })) };
        return component;
    });
}

/** Makes sure that an id names a template of this account.
 * @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account @param {string} id @param {string} method */
export function templateById(sb, account, id, method) {
    const template = sb.store.templates.get(id);
    if (template === undefined || template.waba_id !== account.waba_id)
        throw unknownObject(id, method);
    return template;
}
