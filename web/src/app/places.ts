import { IconKey, IconMessages, type Icon } from '@tabler/icons-react';
import type { Word } from '@/i18n/i18n';

export interface Place {
    to: '/' | '/messages' | '/api-keys';
    word: Word;
    icon: Icon;
    /** Who lacks it does not see the place. */
    permission?: string;
    hotkey?: string;
}

/** The rail, the palette and the phone's bar are made of these. */
export const groups: { word?: Word; places: Place[] }[] = [
    { places: [
        { to: '/messages', word: 'nav.messages', icon: IconMessages, permission: 'messages:read', hotkey: 'g m' },
    ] },
    { word: 'nav.developers', places: [
        { to: '/api-keys', word: 'nav.keys', icon: IconKey, permission: 'keys:manage', hotkey: 'g k' },
    ] },
];

export function placesFor(may: (permission: string) => boolean): typeof groups {
    return groups.map((group) => ({ ...group, places: group.places.filter((place) => place.permission === undefined || may(place.permission)) }))
        .filter((group) => group.places.length !== 0);
}
