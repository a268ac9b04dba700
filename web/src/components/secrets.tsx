import { Button, Checkbox, Modal, TextInput } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import { useT } from '@/i18n/i18n';
import { Copy } from './basics';

/** A secret, shown this one time. It goes away when the person says that it is kept. */
export function SecretOnce({ title, text, secret, onDone, children }: { title: string; text: string; secret: string | null; onDone: () => void; children?: ReactNode }) {
    const t = useT();
    const [isKept, setKept] = useState(false);
    const done = () => { setKept(false); onDone(); };
    return (
        <Modal opened={secret !== null} onClose={() => { if (isKept) done(); }} title={title} size="lg" withCloseButton={false} closeOnClickOutside={false} closeOnEscape={false}>
            <div className="stack">
                <div className="note line" style={{ flexWrap: 'nowrap', alignItems: 'flex-start' }}><IconAlertTriangle size={18} aria-hidden style={{ flex: 'none', color: 'var(--st-amber)' }} /><span>{text}</span></div>
                <div className="pre" style={{ display: 'flex', gap: 8, alignItems: 'center' }}><span className="grow" data-testid="secret">{secret}</span>{secret !== null && <Copy text={secret} />}</div>
                {children}
                <Checkbox label={t('secret.kept')} checked={isKept} onChange={(event) => { setKept(event.currentTarget.checked); }} data-autofocus />
                <Button disabled={!isKept} onClick={done}>{t('done')}</Button>
            </div>
        </Modal>
    );
}

/** For what cannot be undone: the name is typed. */
export function ConfirmByName({ isOpen, title, text, name, act, isBusy, onClose, onConfirm, children }: { isOpen: boolean; title: string; text: string; name: string; act: string; isBusy: boolean; onClose: () => void; onConfirm: () => void; children?: ReactNode }) {
    const t = useT();
    const [typed, setTyped] = useState('');
    return (
        <Modal opened={isOpen} onClose={() => { setTyped(''); onClose(); }} title={title} closeButtonProps={{ 'aria-label': t('close') }}>
            <form className="stack" onSubmit={(event) => { event.preventDefault(); if (typed.trim() === name.trim()) onConfirm(); }}>
                <p style={{ margin: 0 }}>{text}</p>
                <TextInput label={t('confirm.type', { name })} value={typed} onChange={(event) => { setTyped(event.currentTarget.value); }} autoComplete="off" data-autofocus />
                {children}
                <Button type="submit" color="red.8" disabled={typed.trim() !== name.trim()} loading={isBusy}>{act}</Button>
            </form>
        </Modal>
    );
}
