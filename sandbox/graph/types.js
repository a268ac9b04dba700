// @ts-check
/**
 * Shapes shared by the modules of the simulator. Types only: this file holds no code.
 *
 * @typedef {object} Settings Dials; a value here is the default, an account may override each.
 * @property {number} statuses_delay_ms pause before each of sent, delivered and read
 * @property {boolean} auto_read send `read` without a person reading
 * @property {'none'|'any'} groups whether a group id is one of ours: none, or any
 * @property {'enforce'|'ignore'} window the 24-hour customer service window
 * @property {number} throughput_per_second messages a second for each business number; 0 is no limit
 * @property {400|429} rate_limit_http HTTP status of 130429 and 131056 (Meta's pages disagree)
 * @property {'on'|'off'} pair_limit burst of 45, then one message each 6 s to one user
 * @property {number} daily_users unique people whom an account may write to outside windows in 24 hours; 0 is no limit
 * @property {number} app_usage percent of the app's allowance of calls that is used up; from 100 on management calls are refused
 * @property {number} account_usage the same of the account's own
 * @property {number} regain_minutes until calls are taken again, as account_usage is told; 0: they are
 * @property {'good'|'alert'|'expired'|'wrong_name'} tls what the HTTPS listener does to new connections; of the whole sandbox
 * @property {number} template_review_ms time from PENDING to APPROVED
 * @property {'loopback'|'fetch'|'ignore'} links which media links are fetched
 * @property {number} list_body_max 1024 or 4096, by which of Meta's pages is right
 * @property {number} media_url_ttl_ms life of a media download URL
 * @property {'none'|'sha256'|'host'|'cut'} media_lie what is not as it is said of media
 * @property {number} upload_life_ms life of a resumable upload's session, and of its handle
 * @property {number} webhook_version 24: no `conversation`; 23 and lower: with it
 * @property {boolean} bsuid business-scoped user ids in webhooks
 * @property {boolean} us_marketing deliver marketing templates to +1 numbers
 * @property {number} batch_max updates in one webhook POST at most
 * @property {number} batch_wait_ms how long a webhook POST waits to fill
 * @property {number} webhook_concurrency POSTs in flight to one callback
 * @property {number} webhook_timeout_ms
 * @property {number} retry_first_ms gap before the second retry (the first follows at once)
 * @property {number} retry_max_ms gaps double up to here
 * @property {number} retry_for_ms an update older than this is dropped
 *
 * @typedef {object} Token
 * @property {string} token
 * @property {string[]} scopes
 * @property {'valid'|'expired'|'revoked'} state
 * @property {number} [expires_at] ms; from then on it is expired
 * @property {string} [granted] another account than the one it came with, by debug_token
 *
 * @typedef {object} Account A WhatsApp business account with its app.
 * @property {string} waba_id
 * @property {string} name
 * @property {string} app_id
 * @property {string} app_secret
 * @property {Token[]} tokens
 * @property {string|null} callback_url the app's callback
 * @property {string|null} verify_token
 * @property {string|null} override_url callback of this account only
 * @property {boolean} subscribed
 * @property {Partial<Settings>} settings
 *
 * @typedef {object} Phone A business phone number.
 * @property {string} id
 * @property {string} waba_id
 * @property {string} display_phone_number digits
 * @property {string} verified_name
 * @property {string} quality_rating
 * @property {'CONNECTED'|'PENDING'} status
 * @property {string|null} pin
 * @property {string|null} override_url
 * @property {Record<string, unknown>} profile
 * @property {number[]} register_attempts times of the last attempts, ms
 * @property {string} [requested_name] a display name under review
 * @property {'VERIFIED'|'NOT_VERIFIED'} [code_status]
 * @property {string} [code] the verification code that was sent last
 * @property {number[]} [code_requests] times, ms
 *
 * @typedef {object} Template
 * @property {string} id
 * @property {string} waba_id
 * @property {string} name
 * @property {string} language
 * @property {string} category
 * @property {string} status
 * @property {string} parameter_format
 * @property {any[]} components
 * @property {string} [rejected_reason]
 * @property {number} [review_at] when the pending review ends, ms
 * @property {number[]} [edits] times of edits while approved, ms
 * @property {number} [message_send_ttl_seconds]
 * @property {number} [pauses] how often it was paused
 * @property {string} [quality] GREEN, YELLOW, RED, UNKNOWN
 * @property {number} [quality_at] seconds
 * @property {string} [previous_category]
 * @property {string} [correct_category] where it is announced to go
 *
 * @typedef {object} Media
 * @property {string} id
 * @property {string} phone_number_id
 * @property {string} mime_type
 * @property {string} sha256 hex
 * @property {number} file_size
 * @property {number} created_at
 * @property {number} expires_at
 * @property {string} [filename]
 * @property {boolean} [inbound]
 *
 * @typedef {object} Upload A resumable upload of an app.
 * @property {string} id upload:...
 * @property {string} sig goes with the id
 * @property {string} app_id
 * @property {string} file_name
 * @property {string} type
 * @property {number} length as it was said at the beginning
 * @property {number} offset bytes that have come
 * @property {number[]} asked where each request began
 * @property {number} expires_at
 * @property {string} [sha256] hex, when it is whole
 * @property {string} [handle]
 *
 * @typedef {object} Step One status that is still to come.
 * @property {string} status
 * @property {number} after_ms counted from the step before
 * @property {WebhookError[]} [errors]
 * @property {boolean} [silent] changes the state, sends no webhook
 *
 * @typedef {object} WebhookError
 * @property {number} code
 * @property {string} title
 * @property {string} message
 * @property {{details: string}} error_data
 * @property {string} href
 *
 * @typedef {object} Message One message, either way.
 * @property {string} id the wamid
 * @property {'out'|'in'} direction `out` is from the business
 * @property {string} waba_id
 * @property {string} phone_number_id
 * @property {string} wa_id the person
 * @property {string} type
 * @property {number} at ms
 * @property {any} content the object under the type's own name
 * @property {{id?: string, from?: string}|null} context
 * @property {string|null} biz_opaque_callback_data
 * @property {{status: string, at: number, errors?: WebhookError[]}[]} statuses
 * @property {Step[]} plan
 * @property {boolean} [held] waits for the handset to come online
 * @property {any} [view] a template with its values filled in
 * @property {string} [category] pricing category
 * @property {boolean} [is_group] wa_id is a group's id
 * @property {boolean} [in_window] the service window was open at acceptance
 * @property {boolean} [free_entry] a free entry point was open at acceptance
 * @property {string} [reaction] emoji that the other side put on it
 * @property {number} [duplicates] send each status so many times more
 *
 * @typedef {object} Chat A business number and a person.
 * @property {string} id phone_number_id/wa_id
 * @property {string} phone_number_id
 * @property {string} wa_id
 * @property {number} last_inbound_at
 * @property {number} free_entry_offered_at a referral came in
 * @property {number} free_entry_until
 *
 * @typedef {object} Handset A person's phone in the sandbox.
 * @property {string} wa_id
 * @property {string} name
 * @property {boolean} online
 * @property {boolean|null} auto_read null follows the account
 * @property {number} seen_at
 *
 * @typedef {object} Update One webhook change on its way.
 * @property {string} id
 * @property {string} waba_id
 * @property {string|null} phone_number_id
 * @property {string} field
 * @property {any} value
 * @property {string|null} key updates of one key leave in order
 * @property {number} at
 * @property {number} attempt
 * @property {string|null} wa_id
 * @property {boolean} [timed] carries entry.time (account and template fields)
 */
export {};
