import { Modal } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { useT, type Word } from '@/i18n/i18n';
import { personal, placesFor } from './places';
import { useMay } from './session';

const SHOW = 'harkara:shortcuts';

export function showShortcuts(): void {
    dispatchEvent(new Event(SHOW));
}

/** "?" lists what keys do; "g" and a letter goes somewhere. */
export function Shortcuts() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const [isOpen, setOpen] = useState(false);
    const wentAt = useRef(0);
    const places = [...placesFor(may).flatMap((group) => group.places), ...personal].filter((place) => place.hotkey !== undefined);

    useEffect(() => {
        const show = () => { setOpen(true); };
        addEventListener(SHOW, show);
        return () => { removeEventListener(SHOW, show); };
    }, []);
    useHotkeys([
        ['shift + ?', () => { setOpen(true); }, { usePhysicalKeys: false }],
        ['?', () => { setOpen(true); }],
        ['g', () => { wentAt.current = Date.now(); }],
        ['/', () => { document.querySelector<HTMLElement>('[data-search], .chip')?.focus(); }],
        ...places.map((place): [string, () => void] => [place.hotkey?.slice(-1) ?? '', () => {
            if (Date.now() - wentAt.current < 1200)
                void navigate({ to: place.to });
            wentAt.current = 0;
        }]),
    ]);
    const rows: [string, Word][] = [['Ctrl K', 'palette.open'], ['/', 'shortcuts.search'], ['j  k', 'shortcuts.move'], ['Enter', 'shortcuts.open'], ['x', 'shortcuts.pick'], ['Esc', 'shortcuts.close'], ['?', 'shortcuts.title']];
    return (
        <Modal opened={isOpen} onClose={() => { setOpen(false); }} title={t('shortcuts.title')} closeButtonProps={{ 'aria-label': t('close') }}>
            <dl className="facts">
                {[...rows.map(([key, word]): [string, string] => [key, t(word)]), ...places.map((place): [string, string] => [place.hotkey ?? '', t('shortcuts.go', { place: t(place.word) })])]
                    .map(([key, what]) => <div key={key} style={{ display: 'contents' }}><dt><kbd className="mono">{key}</kbd></dt><dd>{what}</dd></div>)}
            </dl>
        </Modal>
    );
}
