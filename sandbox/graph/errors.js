// @ts-check
/** Graph error bodies, and the table of codes that this simulator can answer with. */
import { randomBytes } from 'node:crypto';

/** code: [HTTP status, title, details that Meta gives with it]. 429 where Meta's pages disagree is a setting. */
const CODES = /** @type {Record<number, [number, string, string?]>} */ ({
    0: [401, 'AuthException', 'We were unable to authenticate the app user.'],
    1: [400, 'An unknown error occurred'],
    2: [503, 'An unexpected error has occurred. Please retry your request later.'],
    3: [500, 'Application does not have the capability to make this API call.'],
    4: [400, 'Application request limit reached'],
    10: [403, 'Application does not have permission for this action'],
    17: [429, 'User request limit reached'],
    33: [400, 'Parameter value is not valid', 'The business phone number has been deleted.'],
    100: [400, 'Invalid parameter'],
    102: [401, 'Session key invalid or no longer valid'],
    104: [401, 'An access token is required to request this resource.'],
    190: [401, 'Invalid OAuth access token - Cannot parse access token'],
    200: [403, 'You do not have the necessary permissions required to send messages on behalf of this WhatsApp Business Account'],
    368: [403, 'Temporarily blocked for policies violations', 'The account was restricted for violating a platform policy.'],
    506: [400, 'Duplicate status message'],
    613: [400, 'Calls to this api have exceeded the rate limit.'],
    803: [404, 'Some of the aliases you requested do not exist'],
    2200: [400, 'Callback verification failed'],
    2500: [400, 'Unknown path components'],
    80007: [400, 'Rate limit issues', 'The WhatsApp Business Account has reached its rate limit.'],
    80008: [400, 'There have been too many calls to this WhatsApp Business account.'],
    130403: [403, 'Business has blocked this user', 'The recipient is in the block list of this business.'],
    130429: [400, 'Rate limit hit', 'Cloud API message throughput has been reached.'],
    130472: [400, "User's number is part of an experiment", 'Failed to send message because this user\'s phone number is part of an experiment.'],
    130497: [403, 'Business account is restricted from messaging users in this country.', 'Business account is restricted from messaging users in this country.'],
    131000: [500, 'Something went wrong', 'Message failed to send due to an unknown error. Try again later.'],
    131005: [403, 'Access denied', 'Permission is either not granted or has been removed.'],
    131008: [400, 'Required parameter is missing', 'The request is missing a required parameter.'],
    131009: [400, 'Parameter value is not valid', 'One or more parameter values are invalid.'],
    131016: [500, 'Service unavailable', 'A service is temporarily unavailable.'],
    131020: [400, 'Bad group', 'The group has no other participant.'],
    131021: [400, 'Recipient cannot be sender', 'Sender and recipient phone number is the same.'],
    131026: [400, 'Message undeliverable', 'Message Undeliverable.'],
    131030: [400, 'Recipient phone number not in allowed list', 'Add recipient phone number to recipient list and try again.'],
    131031: [403, 'Business Account locked', 'Your WhatsApp Business Account has been locked.'],
    131037: [400, 'WhatsApp provided number needs display name approval before message can be sent.', 'The display name of this number needs approval.'],
    131041: [400, 'Group unknown', 'The group does not exist, or the business is not in it.'],
    131042: [400, 'Business eligibility payment issue', 'Message failed to send because there were one or more errors related to your payment method.'],
    131044: [400, 'Business eligibility payment issue', 'The call was not possible because of the payment method.'],
    131045: [500, 'Incorrect certificate', 'Message failed to send due to a phone number registration error.'],
    131047: [400, 'Re-engagement message', 'Message failed to send because more than 24 hours have passed since the customer last replied to this number.'],
    131048: [400, 'Spam rate limit hit', 'Message failed to send because there are restrictions on how many messages can be sent from this phone number.'],
    131049: [400, 'This message was not delivered to maintain healthy ecosystem engagement.', 'In order to maintain a healthy ecosystem engagement, the message failed to be delivered.'],
    131050: [400, 'User has stopped marketing messages', 'The recipient has chosen to stop receiving marketing messages from this business.'],
    131051: [400, 'Unsupported message type', 'Message type is not currently supported.'],
    131052: [400, 'Media download error', 'Failed to download the media from the sender.'],
    131053: [400, 'Media upload error', 'Media upload error.'],
    131055: [400, 'Method not allowed', 'This method is not allowed for this number.'],
    131056: [400, '(Business Account, Consumer Account) pair rate limit hit', 'Message failed to send because there were too many messages sent from this phone number to the same phone number in a short period of time.'],
    131057: [500, 'Account in maintenance mode', 'The business account is in maintenance mode.'],
    131059: [400, 'Invalid cursor', 'The cursor is invalid or has expired.'],
    131062: [400, 'Business-scoped user id is not supported for this message', 'This message needs a phone number.'],
    131063: [400, 'Marketing templates are disabled on Cloud API', 'Send marketing templates by the Marketing Messages API.'],
    131064: [400, 'Messaging limit reached because of template classification violations'],
    131201: [206, 'Group request partly succeeded'],
    131202: [400, 'Duplicate participant'],
    131204: [400, 'Too many participants in the group'],
    131207: [403, 'Group suspended'],
    131208: [429, 'Group rate limit hit'],
    131209: [400, 'The picture of a group must be square'],
    131210: [400, 'The picture of a group is too small'],
    131211: [400, 'Group creation limit reached'],
    131212: [400, 'Participant is not in the group'],
    131213: [400, 'Join request does not exist'],
    131214: [400, 'Group creation is paused', 'Too many marketing messages were sent within the service window.'],
    131215: [400, 'Phone number is not eligible for groups'],
    132000: [400, 'Number of parameters does not match the expected number of params'],
    132001: [404, 'Template name does not exist in the translation'],
    132005: [400, 'Translated text too long'],
    132007: [400, 'Template format character policy violated', 'Template content violates a WhatsApp policy.'],
    132008: [400, 'Template parameter value is not valid'],
    132012: [400, 'Parameter format does not match format in the created template'],
    132015: [400, 'Template is paused', 'Template is paused due to low quality so it cannot be sent in a template message.'],
    132016: [400, 'Template is disabled', 'Template has been paused too many times due to low quality and is now permanently disabled.'],
    132018: [400, 'There was a problem with the template parameters'],
    132068: [400, 'Flow is blocked', 'The flow is in blocked state.'],
    132069: [400, 'Flow is throttled', 'The flow is in throttled state and 10 messages using it were already sent in the last hour.'],
    133000: [500, 'Incomplete deregistration', 'A previous deregistration attempt failed.'],
    133004: [503, 'Server is temporarily unavailable', 'The registration server is temporarily unavailable.'],
    133005: [400, 'Two step verification PIN mismatch', 'The two-step verification PIN is incorrect.'],
    133006: [400, 'Phone number re-verification needed', 'The phone number needs to be verified before registering.'],
    133008: [400, 'Too many two step verification PIN guesses', 'Too many wrong PINs for this phone number.'],
    133009: [400, 'Two step verification PIN guessed too fast', 'The PIN was entered too quickly.'],
    133010: [400, 'Phone number not registered', 'The phone number is not registered on the WhatsApp Business Platform.'],
    133015: [400, 'Please wait a few minutes before attempting to register this phone number', 'The phone number was recently deleted.'],
    133016: [400, 'Account register deregister rate limit exceeded', 'Registration or deregistration failed because there were too many attempts for this phone number in a short period of time.'],
    134011: [400, 'WhatsApp Payments terms of service have not been accepted'],
    134100: [400, 'Only marketing messages supported', 'Only marketing templates can be sent by this API.'],
    134101: [400, 'Template is still being synchronised', 'Try again in ten minutes.'],
    134102: [500, 'Template is unavailable for use'],
    135000: [400, 'Generic user error', 'Message failed to send because of an unknown error with your request parameters.'],
    137000: [400, 'Recipient identity key hash mismatch', 'The identity key hash of the recipient does not match.'],
    138000: [400, 'Calling is not enabled'],
    138001: [400, 'Receiver cannot be called'],
    138002: [429, 'Concurrent calls limit reached'],
    138003: [400, 'Duplicate call'],
    138004: [500, 'Call connection error'],
    138005: [429, 'Call rate limit reached'],
    138006: [401, 'No permission to call this user'],
    138007: [500, 'Call connection timed out'],
    138009: [400, 'Limit of call permission requests reached'],
    138012: [400, 'Limit of calls within 24 hours reached'],
    138013: [400, 'Calling is not available for this user'],
    138014: [400, 'Calling is paused because of low quality'],
    138015: [400, 'Calling cannot be enabled'],
    138017: [400, 'A permanent call permission exists already'],
    138018: [400, 'Calling cannot be enabled for this number'],
    139000: [403, 'Flow blocked by integrity'],
    139001: [400, 'Flow cannot be changed'],
    139002: [400, 'Flow cannot be published'],
    139003: [400, 'Flow cannot be deprecated'],
    139004: [400, 'Flow cannot be deleted'],
    139100: [400, 'Failed to block or unblock some users'],
    139101: [400, 'Block list limit reached'],
    139102: [409, 'Block list was changed meanwhile'],
    139103: [500, 'Block list is unavailable'],
    141002: [400, 'Template is not approved'],
    147001: [400, 'Username is not available'],
    147002: [400, 'Not eligible for a username'],
    147003: [400, 'Username needs a linked Facebook account'],
    147004: [400, 'Username needs a linked Instagram account'],
    200005: [400, 'Template insights are not available'],
    200006: [400, 'Template insights cannot be turned off'],
    200007: [400, 'Template insights are not enabled'],
    1752041: [400, 'Duplicate onboarding request'],
    2388001: [400, 'Phone number cannot be migrated', 'Its ownership is not confirmed, or two-step verification is on.'],
    2388012: [400, 'Phone number is in your list already'],
    2388019: [400, 'Template limit exceeded'],
    2388024: [400, 'Content in this language already exists'],
    2388039: [400, 'Template status cannot be changed'],
    2388040: [400, 'Template field is too long'],
    2388047: [400, 'Message header format is incorrect'],
    2388072: [400, 'Message body format is incorrect'],
    2388073: [400, 'Message footer format is incorrect'],
    2388091: [400, 'Phone number is not eligible for a code'],
    2388093: [400, 'Phone number is not eligible for verification'],
    2388103: [400, 'Phone number cannot be migrated'],
    2388293: [400, 'Too many variables for the length of the text'],
    2388299: [400, 'Variables cannot be at the start or the end'],
    2494100: [400, 'Phone number is in maintenance mode'],
    2593107: [400, 'Synchronisation request limit exceeded'],
    2593108: [400, 'Synchronisation was requested outside of its window'],
});

const TRANSIENT = new Set([1, 2, 4, 17, 80007, 80008, 131016]);
const HREF = '/documentation/business-messaging/whatsapp/support/error-codes';

/** Codes by their last five digits, of which no two are alike: so every code has its numbers. @type {Map<string, number>} */
const BY_DIGITS = new Map(Object.keys(CODES).map((code) => [code.slice(-5).padStart(5, '0'), Number(code)]));

/** @param {string} digits five @returns {number|null} */
export const codeOfDigits = (digits) => BY_DIGITS.get(digits) ?? null;

/** All the codes of the table, for the documentation page and the fault dials. */
export const knownCodes = () => Object.entries(CODES).map(([code, [http, title]]) => ({ code: Number(code), http, title }));

export const traceId = () => 'A' + randomBytes(17).toString('base64url').slice(0, 22);

/** An answer of the Graph API that is not a success. */
export class GraphError extends Error {
    /**
     * @param {number} code
     * @param {{message?: string, details?: string, http?: number, subcode?: number, type?: string, transient?: boolean,
     *          userTitle?: string, userMsg?: string, headers?: Record<string, string>}} [more]
     */
    constructor(code, more = {}) {
        const row = CODES[code] ?? [400, 'Unknown error'];
        super(more.message ?? row[1]);
        this.code = code;
        this.http = more.http ?? row[0];
        this.subcode = more.subcode;
        this.type = more.type ?? 'OAuthException';
        this.details = more.details ?? (code >= 130000 ? row[2] ?? row[1] : undefined);
        this.transient = more.transient ?? (TRANSIENT.has(code) ? true : undefined);
        this.userTitle = more.userTitle;
        this.userMsg = more.userMsg;
        this.headers = more.headers ?? {};
    }

    body() {
        const bare = this.code === 104 || this.code === 190 || this.code === 2500 || this.type === 'GraphMethodException';
        return {
            error: {
                message: bare ? this.message : `(#${this.code}) ${this.message}`,
                type: this.type,
                code: this.code,
                ...(this.subcode === undefined ? {} : { error_subcode: this.subcode }),
                ...(this.details === undefined ? {} : { error_data: { messaging_product: 'whatsapp', details: this.details } }),
                ...(this.transient === undefined ? {} : { is_transient: this.transient }),
                ...(this.userTitle === undefined ? {} : { error_user_title: this.userTitle }),
                ...(this.userMsg === undefined ? {} : { error_user_msg: this.userMsg }),
                fbtrace_id: traceId(),
            },
        };
    }
}

/** The path names nothing that this token may see.
 * @param {string} id @param {string} method */
export const unknownObject = (id, method) => new GraphError(100, {
    type: 'GraphMethodException', subcode: 33,
    message: `Unsupported ${method.toLowerCase()} request. Object with ID '${id}' does not exist, cannot be loaded due to missing `
        + 'permissions, or does not support this operation. Please read the Graph API documentation at '
        + 'https://developers.facebook.com/docs/graph-api',
});

/** A parameter that must be there is not. @param {string} path such as text['body'] */
export const missing = (path) => new GraphError(100, { message: `The parameter ${path} is required.` });

/** A parameter has the wrong kind or size. @param {string} message */
export const invalid = (message) => new GraphError(100, { message });

/** The form in which webhooks carry an error. @param {number} code @param {string} [details]
 * @returns {import('./types.js').WebhookError} */
export function webhookError(code, details) {
    const row = CODES[code] ?? [400, 'Unknown error'];
    return { code, title: row[1], message: row[1], error_data: { details: details ?? row[2] ?? row[1] }, href: HREF };
}
