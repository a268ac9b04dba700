import { Button } from '@mantine/core';
import { IconDoor } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { EmptyState, Problem } from '@/components/basics';
import { useT } from '@/i18n/i18n';
import { useSession } from './session';
import { useSwitch } from './switch';

/** For somebody who is signed in and belongs nowhere, or not to where the session was. */
export function NoWorkspace({ onSignOut }: { onSignOut: () => void }) {
    const t = useT();
    const { workspaces, person } = useSession();
    const go = useSwitch();
    const isNowhere = workspaces.length === 0;
    return (
        <div className="page">
            <h1 style={{ textAlign: 'center', marginTop: '8vh' }}>{t('nowhere.hello', { name: person.name })}</h1>
            <EmptyState icon={IconDoor} title={t(isNowhere ? 'nowhere.title' : 'nowhere.left')} text={t(isNowhere ? 'nowhere.text' : 'nowhere.left.text')}>
                {workspaces.map((workspace) => <Button key={workspace.id} loading={go.isPending && go.variables === workspace.id} onClick={() => { go.mutate(workspace.id); }}>{t('nowhere.go', { name: workspace.name })}</Button>)}
                <Button variant="default" component={Link} to="/security">{t('nowhere.account')}</Button>
                <Button variant="default" onClick={onSignOut}>{t('signout')}</Button>
            </EmptyState>
            {go.isError && <Problem error={go.error} />}
        </div>
    );
}
