const homes: Record<string, string> = { msg: '/messages/', chn: '/channels/', smc: '/channels/operators/', smr: '/channels/routes/', tpl: '/templates/', whe: '/webhooks/', aud: '/audit/', mbr: '/team/people/', tem: '/team/teams/', rol: '/team/roles/', rev: '/team/reviews/', key: '/api-keys/' };

/** Where the object of an id is shown; null for what is no id of a thing with a page. */
export function destinationOf(typed: string): string | null {
    const found = /^([a-z]{3})_[0-9a-z]{26}$/.exec(typed.trim());
    const home = found?.[1] === undefined ? undefined : homes[found[1]];
    return found === null || home === undefined ? null : home + found[0];
}
