import { IconBellOff, IconBook2, IconBrandWhatsapp, IconFileSearch, IconGauge, IconHome2, IconKey, IconMessages, IconMoonStars, IconRubberStamp, IconSettings, IconShieldLock, IconTemplate, IconUserCheck, IconUsersGroup, IconWebhook, type Icon } from '@tabler/icons-react';
import type { Word } from '@/i18n/i18n';

export interface Place {
    to: '/' | '/messages' | '/templates' | '/channels' | '/api-keys' | '/webhooks' | '/reference' | '/audit' | '/usage' | '/team' | '/settings' | '/policy' | '/consent' | '/dlt' | '/dnd' | '/security';
    word: Word;
    icon: Icon;
    /** Who lacks it does not see the place. */
    permission?: string;
    hotkey?: string;
}

/** The rail, the palette and the phone's bar are made of these. */
export const groups: { word?: Word; places: Place[] }[] = [
    { places: [
        { to: '/', word: 'nav.overview', icon: IconHome2, hotkey: 'g o' },
        { to: '/messages', word: 'nav.messages', icon: IconMessages, permission: 'messages:read', hotkey: 'g m' },
        { to: '/channels', word: 'nav.channels', icon: IconBrandWhatsapp, permission: 'channels:read', hotkey: 'g c' },
        { to: '/templates', word: 'nav.templates', icon: IconTemplate, permission: 'templates:read', hotkey: 'g t' },
    ] },
    { word: 'nav.developers', places: [
        { to: '/api-keys', word: 'nav.keys', icon: IconKey, permission: 'keys:manage', hotkey: 'g a' },
        { to: '/webhooks', word: 'nav.webhooks', icon: IconWebhook, permission: 'webhooks:read', hotkey: 'g w' },
        { to: '/reference', word: 'nav.reference', icon: IconBook2, hotkey: 'g r' },
    ] },
    { word: 'nav.compliance', places: [
        { to: '/consent', word: 'nav.consent', icon: IconUserCheck, permission: 'consents:read', hotkey: 'g n' },
        { to: '/policy', word: 'nav.policy', icon: IconMoonStars, permission: 'settings:read', hotkey: 'g q' },
        { to: '/dlt', word: 'nav.dlt', icon: IconRubberStamp, permission: 'dlt:read', hotkey: 'g d' },
        { to: '/dnd', word: 'nav.dnd', icon: IconBellOff, permission: 'settings:read', hotkey: 'g b' },
    ] },
    { word: 'nav.trust', places: [
        { to: '/audit', word: 'nav.audit', icon: IconFileSearch, permission: 'audit:read', hotkey: 'g l' },
    ] },
    { word: 'nav.workspace', places: [
        { to: '/team', word: 'nav.team', icon: IconUsersGroup, permission: 'people:read', hotkey: 'g p' },
        { to: '/usage', word: 'nav.usage', icon: IconGauge, permission: 'usage:read', hotkey: 'g u' },
        { to: '/settings', word: 'nav.settings', icon: IconSettings, permission: 'settings:read', hotkey: 'g s' },
    ] },
];

/** The person's own, in every workspace and without one: in the person's menu and the palette. */
export const personal: Place[] = [{ to: '/security', word: 'nav.security', icon: IconShieldLock, hotkey: 'g y' }];

export function placesFor(may: (permission: string) => boolean): typeof groups {
    return groups.map((group) => ({ ...group, places: group.places.filter((place) => place.permission === undefined || may(place.permission)) }))
        .filter((group) => group.places.length !== 0);
}
