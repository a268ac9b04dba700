import { Button, Modal } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { Invitation, Member } from '@/api/types';
import { useSession } from '@/app/session';
import { When } from '@/components/basics';
import { initialOf } from '@/components/initial';
import { useT } from '@/i18n/i18n';
import { everybodyQuery } from './queries';

/** Somebody's name with its mark; who looks is told that it is himself. */
export function PersonName({ member, children }: { member: { person_id?: string; name: string | null; email: string | null }; children?: ReactNode }) {
    const t = useT();
    const { person } = useSession();
    const name = member.name ?? member.email ?? t('team.nameless');
    return (
        <span className="line" style={{ flexWrap: 'nowrap', minWidth: 0 }}>
            <span className="mark" style={{ width: 24, height: 24, borderRadius: 12, fontSize: 11 }} aria-hidden>{initialOf(name)}</span>
            {children ?? <span className="cut">{name}</span>}
            {member.person_id === person.id && <span className="quiet" style={{ fontSize: 12, flex: 'none' }}>{t('team.you')}</span>}
        </span>
    );
}

export function nameOf(member: Pick<Member, 'name' | 'email'>, nameless: string): string {
    return member.name ?? member.email ?? nameless;
}

/** Who did something: by name, where the person still works here. */
export function Doer({ by }: { by: Invitation['invited_by'] }) {
    const t = useT();
    const everybody = useQuery({ ...everybodyQuery, enabled: by?.kind === 'person' });
    if (by === null)
        return <span className="quiet">–</span>;
    if (by.kind !== 'person')
        return <>{t(by.kind === 'key' ? 'team.by.key' : 'team.by.operator')}</>;
    const member = everybody.data?.find((each) => each.person_id === by.id);
    return member === undefined ? <span className="quiet">{everybody.isPending ? '…' : t('team.by.gone')}</span> : <>{nameOf(member, t('team.nameless'))}</>;
}

/** An invitation's link, shown this once, or where it was mailed; another one can always be made. */
export function LinkOnce({ invitation, onDone }: { invitation: Invitation | null; onDone: () => void }) {
    const t = useT();
    const clipboard = useClipboard({ timeout: 2000 });
    const link = invitation?.link;
    return (
        <Modal opened={invitation !== null} onClose={onDone} title={t(link === undefined ? 'team.mailed' : 'team.link')} size="lg" closeOnClickOutside={false} closeButtonProps={{ 'aria-label': t('close') }}>
            {invitation !== null && link === undefined && (
                <div className="stack">
                    <p style={{ margin: 0 }}>{t('team.mailed.text', { email: invitation.email })}</p>
                    <p className="quiet" style={{ margin: 0, fontSize: 13 }}>{t('enrol.until')} <When at={invitation.expires_at} /></p>
                    <div className="line"><Button onClick={onDone} data-autofocus>{t('done')}</Button></div>
                </div>
            )}
            {invitation !== null && link !== undefined && (
                <div className="stack">
                    <p style={{ margin: 0 }}>{t('team.link.text', { email: invitation.email })}</p>
                    <div className="pre" data-testid="secret" style={{ userSelect: 'all' }}>{link}</div>
                    <p className="quiet" style={{ margin: 0, fontSize: 13 }}>{t('team.link.once')} {t('enrol.until')} <When at={invitation.expires_at} /></p>
                    <div className="line">
                        <Button leftSection={clipboard.copied ? <IconCheck size={16} /> : <IconCopy size={16} />} onClick={() => { clipboard.copy(link); }} data-autofocus>{t(clipboard.copied ? 'copy.done' : 'team.link.copy')}</Button>
                        <Button variant="default" onClick={onDone}>{t('done')}</Button>
                    </div>
                </div>
            )}
        </Modal>
    );
}
