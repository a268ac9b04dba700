// @ts-check
/** A small library of ready templates: what is made of one is approved at once. */
import { GraphError, invalid, missing } from './errors.js';

/** @type {Record<string, {category: string, body: string, example: string[], buttons: {type: string, text: string}[]}>} */
export const LIBRARY = {
    delivery_update_1: { category: 'UTILITY', body: 'Good news! Order {{1}} is out for delivery and will be with you on {{2}}, as agreed.', example: ['1042', 'Friday'],
        buttons: [{ type: 'URL', text: 'Follow your order' }] },
    appointment_reminder_1: { category: 'UTILITY', body: 'Hello {{1}}, this is a reminder of your appointment on {{2}} with us.', example: ['Asha', '3 December'],
        buttons: [{ type: 'PHONE_NUMBER', text: 'Call us' }] },
    payment_received_1: { category: 'UTILITY', body: 'Thank you, {{1}}. Your payment of {{2}} has reached us today.', example: ['Ravi', '₹500'], buttons: [] },
};

/** The components of a library template with the account's own inputs. @param {any} body @returns {{category: string, components: any[]}} */
export function fromLibrary(body) {
    const found = LIBRARY[String(body.library_template_name)];
    if (found === undefined)
        throw new GraphError(100, { subcode: 2388095, userTitle: 'Template Not Found', userMsg: 'The library has no template of this name.', transient: false });
    const inputs = Array.isArray(body.library_template_button_inputs) ? body.library_template_button_inputs : [];
    const buttons = found.buttons.map((button, i) => {
        const input = inputs[i];
        if (String(input?.type).toUpperCase() !== button.type)
            throw missing(`library_template_button_inputs[${i}]`);
        if (button.type === 'URL') {
            if (typeof input.url?.base_url !== 'string')
                throw invalid(`library_template_button_inputs[${i}]['url'] needs a base_url.`);
            return { ...button, url: input.url.base_url, ...(input.url.url_suffix_example === undefined ? {} : { example: [input.url.url_suffix_example] }) };
        }
        return { ...button, phone_number: String(input.phone_number ?? '') };
    });
    return { category: found.category, components: [
        { type: 'BODY', text: found.body, example: { body_text: [found.example] } },
        ...(buttons.length > 0 ? [{ type: 'BUTTONS', buttons }] : []),
    ] };
}
