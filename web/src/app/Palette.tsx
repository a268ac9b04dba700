import { useMantineColorScheme } from '@mantine/core';
import { Spotlight, type SpotlightActionGroupData } from '@mantine/spotlight';
import { IconHash, IconKeyboard, IconLanguage, IconLogout, IconMoon, IconPlus, IconSearch, IconSun } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useLanguage } from '@/i18n/i18n';
import { destinationOf } from './destination';
import { personal, placesFor } from './places';
import { useMay } from './session';
import { showShortcuts } from './Shortcuts';

/** Go, do, find: an id that is typed or pasted opens what it names. */
export function Palette({ onSignOut }: { onSignOut: () => void }) {
    const { t, locale, setLocale } = useLanguage();
    const { colorScheme, setColorScheme } = useMantineColorScheme();
    const navigate = useNavigate();
    const may = useMay();
    const [query, setQuery] = useState('');
    const found = destinationOf(query);
    const size = 18;
    const actions: SpotlightActionGroupData[] = [
        ...(found === null ? [] : [{ group: t('palette.find'), actions: [{ id: 'found', label: t('palette.open_id', { id: query.trim() }), keywords: [query], leftSection: <IconHash size={size} />, onClick: () => { void navigate({ href: found }); } }] }]),
        { group: t('palette.go'), actions: [...placesFor(may).flatMap((group) => group.places), ...personal].map(({ to, word, icon: Mark, hotkey }) => ({ id: to, label: t(word), leftSection: <Mark size={size} stroke={1.7} />, ...(hotkey === undefined ? {} : { rightSection: <kbd className="mono quiet">{hotkey}</kbd> }), onClick: () => { void navigate({ to }); } })) },
        { group: t('palette.do'), actions: [
            ...(may('keys:manage') ? [{ id: 'key', label: t('keys.create'), leftSection: <IconPlus size={size} />, onClick: () => { void navigate({ to: '/api-keys/new' }); } }] : []),
            ...(may('channels:manage') ? [{ id: 'connect', label: t('channels.connect'), leftSection: <IconPlus size={size} />, onClick: () => { void navigate({ to: '/channels/connect' }); } }] : []),
            ...(may('templates:manage') ? [{ id: 'template', label: t('templates.add'), leftSection: <IconPlus size={size} />, onClick: () => { void navigate({ to: '/new-template' }); } }] : []),
            ...(may('webhooks:manage') ? [{ id: 'endpoint', label: t('webhooks.add'), leftSection: <IconPlus size={size} />, onClick: () => { void navigate({ to: '/webhooks/new' }); } }] : []),
            { id: 'theme', label: t(colorScheme === 'dark' ? 'palette.light' : 'palette.dark'), leftSection: colorScheme === 'dark' ? <IconSun size={size} /> : <IconMoon size={size} />, onClick: () => { setColorScheme(colorScheme === 'dark' ? 'light' : 'dark'); } },
            { id: 'language', label: locale === 'en' ? 'हिन्दी में दिखाएँ' : 'Show in English', keywords: ['hindi', 'english', 'language'], leftSection: <IconLanguage size={size} />, onClick: () => { setLocale(locale === 'en' ? 'hi' : 'en'); } },
            { id: 'keys', label: t('shortcuts.title'), leftSection: <IconKeyboard size={size} />, onClick: showShortcuts },
            { id: 'out', label: t('signout'), leftSection: <IconLogout size={size} />, onClick: onSignOut },
        ] },
    ];
    return (
        <Spotlight actions={actions} shortcut={['mod + K']} query={query} onQueryChange={setQuery} nothingFound={t('palette.nothing')} scrollable maxHeight={420} clearQueryOnClose
            searchProps={{ leftSection: <IconSearch size={18} />, placeholder: t('palette.hint'), 'aria-label': t('palette.open') }} />
    );
}
