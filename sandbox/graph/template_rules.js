// @ts-check
/** What the components of a template may hold when it is created. */
import { GraphError, invalid } from './errors.js';
import { lengthOf } from './check.js';

/** @param {number} subcode @param {string} title @param {string} message */
const refusal = (subcode, title, message) => new GraphError(100, { subcode, userTitle: title, userMsg: message, transient: false });

/** The variables of a text: {{1}} or {{name}}, in order. @param {string} text @returns {string[]} */
export const variablesOf = (text) => [...text.matchAll(/\{\{\s*([^{}]*?)\s*\}\}/g)].map((match) => match[1]);

const BUTTON_TYPES = ['QUICK_REPLY', 'URL', 'PHONE_NUMBER', 'COPY_CODE', 'OTP', 'MPM', 'SPM', 'CATALOG', 'FLOW', 'ORDER_DETAILS', 'VOICE_CALL',
    'CALL_PERMISSION_REQUEST', 'REQUEST_CONTACT_INFO'];
const BUTTONS_MAX = /** @type {Record<string, number>} */ ({ QUICK_REPLY: 10, URL: 2 });

/** @param {any[]} components @param {string} category @param {string} format POSITIONAL or NAMED */
export function checkComponents(components, category, format) {
    const body = components.find((component) => component.type === 'BODY');
    if (body === undefined)
        throw refusal(2388072, 'Body Format Incorrect', 'A template needs a body.');
    for (const component of components) {
        if (component.type === 'HEADER')
            checkHeader(component, format);
        else if (component.type === 'BODY' && category !== 'AUTHENTICATION')
            checkBody(component, format, components.some((other) => other.type === 'LIMITED_TIME_OFFER') ? 600 : 1024);
        else if (component.type === 'FOOTER' && category !== 'AUTHENTICATION')
            checkFooter(component);
        else if (component.type === 'BUTTONS')
            checkButtons(component.buttons, category);
        else if (!['BODY', 'FOOTER', 'LIMITED_TIME_OFFER', 'CAROUSEL'].includes(component.type))
            throw invalid(`Unknown component type "${String(component.type).slice(0, 64)}".`);
    }
    if (category === 'AUTHENTICATION')
        checkAuthentication(components);
}

/** @param {any} header @param {string} format */
function checkHeader(header, format) {
    if (!['TEXT', 'IMAGE', 'VIDEO', 'DOCUMENT', 'GIF', 'LOCATION', 'PRODUCT'].includes(header.format))
        throw refusal(2388047, 'Header Format Incorrect', 'The header needs a format.');
    if (header.format !== 'TEXT')
        return;
    if (typeof header.text !== 'string' || header.text === '' || lengthOf(header.text) > 60)
        throw refusal(2388040, 'Character Limit Exceeded', 'The header text may have 60 characters.');
    const variables = variablesOf(header.text);
    if (variables.length > 1)
        throw refusal(2388047, 'Header Format Incorrect', 'The header may have one variable.');
    checkVariables(variables, format, header.example?.header_text?.length ?? header.example?.header_text_named_params?.length ?? 0, 2388047, 'Header Format Incorrect');
}

/** @param {any} body @param {string} format @param {number} max */
function checkBody(body, format, max) {
    if (typeof body.text !== 'string' || body.text.trim() === '')
        throw refusal(2388072, 'Body Format Incorrect', 'The body needs a text.');
    if (lengthOf(body.text) > max)
        throw refusal(2388040, 'Character Limit Exceeded', `The body text may have ${max} characters.`);
    const variables = variablesOf(body.text);
    if (/^\s*\{\{/.test(body.text) || /\}\}\s*$/.test(body.text))
        throw refusal(2388299, 'Leading or trailing params not allowed', 'Variables cannot be at the start or end of the template.');
    if (/\}\}\s*\{\{/.test(body.text))
        throw refusal(2388072, 'Body Format Incorrect', 'Variables cannot be side by side.');
    if (variables.length * 3 > body.text.split(/\s+/).length)
        throw refusal(2388293, 'Parameters words ratio exceeds limit', 'This template has too many variables for its length.');
    checkVariables(variables, format, body.example?.body_text?.[0]?.length ?? body.example?.body_text_named_params?.length ?? 0, 2388072, 'Body Format Incorrect');
}

/** @param {string[]} variables @param {string} format @param {number} samples @param {number} subcode @param {string} title */
function checkVariables(variables, format, samples, subcode, title) {
    if (format === 'NAMED' && variables.some((name) => !/^[a-z_][a-z0-9_]*$/.test(name)))
        throw refusal(subcode, title, 'Names of variables are lower case letters, digits and underscores.');
    const distinct = new Set(variables);
    if (format === 'POSITIONAL' && [...distinct].some((name, i) => name !== String(i + 1)))
        throw refusal(subcode, title, 'Variables must be {{1}}, {{2}} and so on, in order.');
    if (samples < distinct.size)
        throw refusal(2388043, 'Missing sample', 'Each variable needs an example.');
}

/** @param {any} footer */
function checkFooter(footer) {
    if (typeof footer.text !== 'string' || footer.text === '' || lengthOf(footer.text) > 60 || variablesOf(footer.text).length > 0)
        throw refusal(2388073, 'Footer Format Incorrect', 'The footer has 1 to 60 characters and no variables.');
}

/** @param {any[]} buttons @param {string} category */
function checkButtons(buttons, category) {
    const counts = /** @type {Record<string, number>} */ ({});
    let groups = 0;
    buttons.forEach((button, i) => {
        if (!BUTTON_TYPES.includes(button.type))
            throw invalid(`Unknown button type "${String(button.type).slice(0, 64)}".`);
        counts[button.type] = (counts[button.type] ?? 0) + 1;
        if (counts[button.type] > (BUTTONS_MAX[button.type] ?? 1))
            throw invalid(`A template may have ${BUTTONS_MAX[button.type] ?? 1} buttons of type ${button.type}.`);
        if (['QUICK_REPLY', 'URL', 'PHONE_NUMBER'].includes(button.type) && (typeof button.text !== 'string' || button.text === '' || lengthOf(button.text) > 25))
            throw refusal(2388040, 'Character Limit Exceeded', 'The text of a button has 1 to 25 characters.');
        if (button.type === 'URL')
            checkUrlButton(button);
        if (button.type === 'PHONE_NUMBER' && !/^\+?[0-9 ()-]{1,20}$/.test(button.phone_number ?? ''))
            throw invalid('A phone number button needs phone_number.');
        if (button.type === 'OTP' && category !== 'AUTHENTICATION')
            throw invalid('A one-time password button is for authentication templates only.');
        if (button.type === 'QUICK_REPLY' && buttons[i - 1]?.type !== 'QUICK_REPLY')
            groups++;
    });
    if (groups > 1)
        throw invalid('Quick reply buttons must stand together.');
}

/** @param {any} button */
function checkUrlButton(button) {
    if (typeof button.url !== 'string' || !/^https?:\/\//.test(button.url) || button.url.length > 2000)
        throw invalid('A URL button needs a url of at most 2000 characters.');
    const variables = variablesOf(button.url);
    if (variables.length > 1 || (variables.length === 1 && !/\}\}$/.test(button.url)))
        throw invalid('The url of a button may have one variable, at its end.');
    if (variables.length === 1 && !Array.isArray(button.example))
        throw refusal(2388043, 'Missing sample', 'A url with a variable needs an example.');
}

/** @param {any[]} components */
function checkAuthentication(components) {
    const buttons = components.find((component) => component.type === 'BUTTONS')?.buttons ?? [];
    if (!buttons.some((/** @type {any} */ button) => button.type === 'OTP'))
        throw invalid('An authentication template needs a one-time password button.');
    const footer = components.find((component) => component.type === 'FOOTER');
    if (footer && !(Number.isInteger(footer.code_expiration_minutes) && footer.code_expiration_minutes >= 1 && footer.code_expiration_minutes <= 90))
        throw invalid('code_expiration_minutes is 1 to 90.');
    if (components.some((component) => component.type === 'HEADER'))
        throw invalid('An authentication template has no header.');
}
