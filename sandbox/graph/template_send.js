// @ts-check
/** A template message against the approved template: counts, kinds and text of its values; and what a person sees. */
import { GraphError } from './errors.js';
import { lengthOf } from './check.js';
import { findTemplate } from './templates.js';
import { variablesOf } from './template_rules.js';

/**
 * @typedef {object} TemplateView what the handset shows
 * @property {{format: string, text?: string, media?: any, location?: any}|null} header
 * @property {string} body
 * @property {string} footer
 * @property {{type: string, text: string, payload?: string, url?: string, phone_number?: string, code?: string}[]} buttons
 */

/**
 * @param {import('./sandbox.js').Sandbox} sb @param {string} wabaId @param {any} content the `template` object
 * @returns {{category: string, view: TemplateView}}
 */
export function applyTemplate(sb, wabaId, content) {
    const template = findTemplate(sb, wabaId, content.name, content.language.code);
    if (template?.status === 'PAUSED')
        throw new GraphError(132015);
    if (template?.status === 'DISABLED')
        throw new GraphError(132016);
    if (template === undefined || template.status !== 'APPROVED')
        throw new GraphError(132001, { details: `template name (${content.name}) does not exist in ${content.language.code}` });
    const given = /** @type {any[]} */ (content.components ?? []);
    const named = template.parameter_format === 'NAMED';
    /** @param {string} type */
    const partOf = (type) => given.find((component) => String(component.type).toLowerCase() === type)?.parameters ?? [];
    /** @param {string} type */
    const defined = (type) => template.components.find((component) => component.type === type);
    const header = fillHeader(defined('HEADER'), partOf('header'), named);
    const body = fill('body', defined('BODY')?.text ?? '', partOf('body'), named, 1024);
    const buttons = fillButtons(defined('BUTTONS')?.buttons ?? [], given);
    return { category: template.category.toLowerCase(), view: { header, body, footer: defined('FOOTER')?.text ?? '', buttons } };
}

/** @param {string} where @param {string} text @param {any[]} parameters @param {boolean} named @param {number} max @returns {string} */
function fill(where, text, parameters, named, max) {
    const variables = [...new Set(variablesOf(text))];
    if (parameters.length !== variables.length)
        throw new GraphError(132000, { details: `${where}: number of localizable_params (${parameters.length}) does not match the expected number of params (${variables.length})` });
    const values = new Map(parameters.map((parameter, i) => {
        if (named && !variables.includes(parameter.parameter_name))
            throw new GraphError(100, { details: `${where}: Parameter name is missing or does not belong to the template: ${String(parameter.parameter_name ?? '')}` });
        return [named ? parameter.parameter_name : variables[i], valueOf(where, parameter)];
    }));
    const filled = text.replace(/\{\{\s*([^{}]*?)\s*\}\}/g, (_, name) => values.get(name) ?? '');
    if (lengthOf(filled) > max)
        throw new GraphError(132005, { details: `${where}: Translated text too long: ${lengthOf(filled)} of ${max} characters` });
    return filled;
}

/** @param {string} where @param {any} parameter @returns {string} */
function valueOf(where, parameter) {
    const value = parameter.type === 'text' ? parameter.text
        : parameter.type === 'currency' ? parameter.currency?.fallback_value
            : parameter.type === 'date_time' ? parameter.date_time?.fallback_value : undefined;
    if (!['text', 'currency', 'date_time'].includes(parameter.type))
        throw new GraphError(132012, { details: `${where}: Format mismatch, expected TEXT, received ${String(parameter.type).toUpperCase()}` });
    if (typeof value !== 'string' || value === '')
        throw new GraphError(131008, { details: `${where}: Parameter of type ${parameter.type} is missing text value` });
    if (/[\n\r\t]| {5,}/.test(value))
        throw new GraphError(132018, { details: `${where}: Param text cannot have new-line/tab characters or more than 4 consecutive spaces` });
    return value;
}

/** @param {any} header @param {any[]} parameters @param {boolean} named @returns {TemplateView['header']} */
function fillHeader(header, parameters, named) {
    if (header === undefined) {
        if (parameters.length > 0)
            throw new GraphError(132000, { details: `header: number of localizable_params (${parameters.length}) does not match the expected number of params (0)` });
        return null;
    }
    if (header.format === 'TEXT')
        return { format: 'TEXT', text: fill('header', header.text, parameters, named, 60) };
    const parameter = parameters[0];
    const kind = header.format.toLowerCase();
    if (parameters.length !== 1)
        throw new GraphError(132012, { details: `header: Format mismatch, expected ${header.format}, received UNKNOWN` });
    if (parameter.type !== kind)
        throw new GraphError(132012, { details: `header: Format mismatch, expected ${header.format}, received ${String(parameter.type).toUpperCase()}` });
    return kind === 'location' ? { format: 'LOCATION', location: parameter.location } : { format: header.format, media: parameter[kind] };
}

/** @param {any[]} buttons @param {any[]} given @returns {TemplateView['buttons']} */
function fillButtons(buttons, given) {
    const parts = given.filter((component) => String(component.type).toLowerCase() === 'button');
    for (const part of parts)
        if (buttons[Number(part.index)] === undefined)
            throw new GraphError(132018, { details: `buttons: The template has no button at index ${part.index}` });
    return buttons.map((button, i) => {
        const part = parts.find((component) => Number(component.index) === i);
        const parameter = part?.parameters?.[0];
        if (button.type === 'URL' && variablesOf(button.url).length > 0) {
            if (parameter === undefined)
                throw new GraphError(131008, { details: `buttons: Button at index ${i} of type Url requires a parameter` });
            const value = valueOf('buttons', parameter);
            if (button.otp)
                return { type: 'COPY_CODE', text: button.text, code: value };
            return { type: 'URL', text: button.text, url: button.url.replace(/\{\{[^{}]*\}\}$/, encodeURI(value)) };
        }
        if (button.type === 'COPY_CODE') {
            if (typeof parameter?.coupon_code !== 'string' || parameter.coupon_code === '')
                throw new GraphError(131008, { details: `buttons: Button at index ${i} of type CopyCode requires a parameter` });
            return { type: 'COPY_CODE', text: button.text ?? 'Copy code', code: parameter.coupon_code };
        }
        if (button.type === 'QUICK_REPLY')
            return { type: 'QUICK_REPLY', text: button.text, payload: parameter?.payload ?? button.text };
        return { type: button.type, text: button.text ?? button.type, url: button.url, phone_number: button.phone_number };
    });
}
