// @ts-check
/** How much of their allowance of calls an app and an account have used up, as the dials say. */
import { GraphError } from './errors.js';

/** What every answer tells, once a dial is up. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account
 * @returns {Record<string, string>} */
export function usageHeaders(sb, account) {
    const app = sb.setting('app_usage', account.waba_id);
    const own = sb.setting('account_usage', account.waba_id);
    const regain = sb.setting('regain_minutes', account.waba_id);
    /** @param {number} percent */
    const counters = (percent) => ({ call_count: percent, total_cputime: percent >> 1, total_time: percent >> 1 });
    return {
        ...(app > 0 ? { 'x-app-usage': JSON.stringify(counters(app)) } : {}),
        ...(own > 0 || regain > 0 ? { 'x-business-use-case-usage': JSON.stringify({
            [account.waba_id]: [{ type: 'whatsapp_business_management', ...counters(own), estimated_time_to_regain_access: regain }] }) } : {}),
    };
}

/** A management call; messages have limits of their own. @param {import('./sandbox.js').Sandbox} sb @param {import('./types.js').Account} account */
export function needAllowance(sb, account) {
    if (sb.setting('app_usage', account.waba_id) >= 100)
        throw new GraphError(4);
    if (sb.setting('account_usage', account.waba_id) >= 100)
        throw new GraphError(80007);
}
