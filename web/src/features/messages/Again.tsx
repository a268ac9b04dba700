import { Button, Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { keys } from '@/api/keys';
import type { Message } from '@/api/types';
import { Problem } from '@/components/basics';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';
import { cancelMessage, forEachOf, resendMessage } from './acts';

interface Props {
    act: 'cancel' | 'resend' | null;
    /** What is still fit for the act, of what was chosen. */
    messages: Pick<Message, 'id' | 'status'>[];
    onClose: () => void;
    onDone: (made: string[]) => void;
}

/** Asks before what cannot be taken back: a message that leaves again, and many that will not leave. */
export function MessagesAct({ act, messages, onClose, onDone }: Props) {
    const t = useT();
    const client = useQueryClient();
    const [key, setKey] = useState('');
    useEffect(() => { if (act !== null) setKey(crypto.randomUUID()); }, [act]); /* one for each time that it is asked for */
    const work = useMutation({
        mutationFn: async (what: 'cancel' | 'resend') => {
            const made: string[] = [];
            const [only] = messages;
            if (what === 'resend' && only !== undefined && messages.length === 1) /* why it was refused is shown */
                return { done: 1, refused: 0, made: [(await resendMessage(only.id, `${key}:${only.id}`)).id] };
            const result = await forEachOf(messages.map(({ id }) => id), async (id) => {
                if (what === 'cancel')
                    await cancelMessage(id);
                else
                    made.push((await resendMessage(id, `${key}:${id}`)).id);
            });
            return { ...result, made };
        },
        onSuccess: ({ done, refused, made }, what) => {
            say([t(what === 'cancel' ? 'bulk.canceled' : 'bulk.resent', { count: done }), ...(refused === 0 ? [] : [t('bulk.refused', { count: refused })])].join(' '));
            onDone(made);
        },
        onSettled: () => client.invalidateQueries({ queryKey: keys.messages.all }),
    });
    const close = () => { work.reset(); onClose(); };
    const count = messages.length;
    const mayDouble = messages.some(({ status }) => ['uncertain', 'sent', 'delivered', 'read'].includes(status));
    const title = act === 'cancel' ? t('bulk.cancel') : t('resend');
    return (
        <Modal opened={act !== null} onClose={close} title={title} closeButtonProps={{ 'aria-label': t('close') }}>
            {act !== null && (
                <div className="stack">
                    <p style={{ margin: 0 }}>{act === 'cancel' ? t('bulk.cancel.text', { count }) : t('resend.text', { count })}</p>
                    {act === 'resend' && mayDouble && <p className="note" style={{ margin: 0 }}>{t('resend.twice')}</p>}
                    {work.isError && <Problem error={work.error} />}
                    <div className="line" style={{ justifyContent: 'flex-end' }}>
                        <Button variant="subtle" color="gray" onClick={close}>{t('resend.not')}</Button>
                        <Button {...(act === 'cancel' ? { color: 'red.8' } : {})} loading={work.isPending} onClick={() => { work.mutate(act); }} data-autofocus>{title}</Button>
                    </div>
                </div>
            )}
        </Modal>
    );
}
