import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { translateNow } from '@/i18n/i18n';

const UNDO_MS = 6000;

/** Says what was done, and for six seconds takes it back. */
export function sayWithUndo(message: string, word: string, undo: () => void): void {
    const id = notifications.show({
        autoClose: UNDO_MS, withBorder: true, closeButtonProps: { 'aria-label': translateNow('close') },
        message: <span className="line"><span className="grow">{message}</span><Button size="compact-sm" variant="subtle" onClick={() => { notifications.hide(id); undo(); }}>{word}</Button></span>,
    });
}

export function say(message: string): void {
    notifications.show({ message, withBorder: true, autoClose: 4000, closeButtonProps: { 'aria-label': translateNow('close') } });
}
