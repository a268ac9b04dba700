import { ActionIcon, Menu, Tooltip, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { useLocalStorage, useMediaQuery } from '@mantine/hooks';
import { spotlight } from '@mantine/spotlight';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import {
    IconCheck, IconDeviceDesktop, IconDots, IconKeyboard, IconLanguage, IconLayoutSidebarLeftCollapse, IconLayoutSidebarLeftExpand, IconLogout, IconMoon, IconSearch, IconSelector, IconSun,
} from '@tabler/icons-react';
import { Link, Outlet, useLocation, useNavigate } from '@tanstack/react-router';
import { Suspense, type ReactNode } from 'react';
import { api, setCsrfToken, unwrap } from '@/api/client';
import { initialOf } from '@/components/initial';
import { RowsSkeleton } from '@/components/basics';
import { useLanguage, type Word } from '@/i18n/i18n';
import { useLive } from './live';
import { Palette } from './Palette';
import { NoWorkspace } from './NoWorkspace';
import { personal, placesFor } from './places';
import { useMay, useSession } from './session';
import { Shortcuts, showShortcuts } from './Shortcuts';
import { useSwitch } from './switch';

function useSignOut(): () => void {
    const client = useQueryClient();
    const navigate = useNavigate();
    const mutation = useMutation({
        mutationFn: () => unwrap(api.DELETE('/v1/session')),
        onSettled: () => { setCsrfToken(null); client.clear(); void navigate({ to: '/sign-in' }); },
    });
    return () => { mutation.mutate(); };
}

const roles: Record<string, Word> = { owner: 'role.owner', admin: 'role.admin', manager: 'role.manager', developer: 'role.developer', marketer: 'role.marketer', agent: 'role.agent', billing: 'role.billing', auditor: 'role.auditor' };

/** What the person is there: a built-in word, or the workspace's own name for it. */
function Role({ role }: { role: string }) {
    const { t } = useLanguage();
    const word = roles[role];
    return <span className="quiet" style={{ fontSize: 12, whiteSpace: 'nowrap' }}>{word === undefined ? role : t(word)}</span>;
}

function Switcher({ isFolded }: { isFolded: boolean }) {
    const { t } = useLanguage();
    const { workspace, workspaces, person } = useSession();
    const switchTo = useSwitch();
    const name = workspace?.name ?? t('switcher.none');
    const mark = <span className="mark" aria-hidden>{initialOf(name)}</span>;
    return (
        <Menu position="bottom-start" width={260}>
            <Menu.Target>
                <UnstyledButton className="workspace" aria-label={isFolded ? t('switcher.label', { name }) : undefined}>
                    {mark}
                    {!isFolded && <><span className="grow"><span className="cut" style={{ display: 'block', fontWeight: 600, lineHeight: '18px' }}>{name}</span><Role role={workspace?.role ?? ''} /></span><IconSelector size={15} aria-hidden className="quiet" /></>}
                </UnstyledButton>
            </Menu.Target>
            <Menu.Dropdown>
                <Menu.Label>{person.email ?? person.name}</Menu.Label>
                {workspaces.map((each) => (
                    <Menu.Item key={each.id} onClick={() => { if (each.id !== workspace?.id) switchTo.mutate(each.id); }} rightSection={each.id === workspace?.id ? <IconCheck size={14} aria-label={t('switcher.current')} /> : <Role role={each.role} />}>
                        <span className="cut" style={{ display: 'block' }}>{each.name}</span>
                    </Menu.Item>
                ))}
            </Menu.Dropdown>
        </Menu>
    );
}

/** Theme, language, shortcuts, the way out. */
function PersonMenu({ children }: { children: ReactNode }) {
    const { t, locale, setLocale } = useLanguage();
    const { colorScheme, setColorScheme } = useMantineColorScheme();
    const { person } = useSession();
    const signOut = useSignOut();
    const schemes = [['light', IconSun], ['dark', IconMoon], ['auto', IconDeviceDesktop]] as const;
    return (
        <Menu position="top-start" width={220}>
            <Menu.Target>{children}</Menu.Target>
            <Menu.Dropdown>
                <Menu.Label><span className="cut" style={{ display: 'block' }}>{person.name}</span></Menu.Label>
                {personal.map(({ to, word, icon: Mark }) => <Menu.Item key={to} component={Link} to={to} leftSection={<Mark size={15} aria-hidden />}>{t(word)}</Menu.Item>)}
                <Menu.Divider />
                {schemes.map(([scheme, Mark]) => <Menu.RadioItem key={scheme} value={scheme} checked={colorScheme === scheme} closeMenuOnClick onChange={() => { setColorScheme(scheme); }}><span className="line"><Mark size={15} aria-hidden />{t(`theme.${scheme}`)}</span></Menu.RadioItem>)}
                <Menu.Divider />
                {(['en', 'hi'] as const).map((each) => <Menu.RadioItem key={each} lang={each} value={each} checked={locale === each} closeMenuOnClick onChange={() => { setLocale(each); }}><span className="line"><IconLanguage size={15} aria-hidden />{each === 'en' ? 'English' : 'हिन्दी'}</span></Menu.RadioItem>)}
                <Menu.Divider />
                <Menu.Item leftSection={<IconKeyboard size={15} aria-hidden />} onClick={showShortcuts}>{t('shortcuts.title')}</Menu.Item>
                <Menu.Item leftSection={<IconLogout size={15} aria-hidden />} onClick={signOut}>{t('signout')}</Menu.Item>
            </Menu.Dropdown>
        </Menu>
    );
}

function Rail({ isFolded, onFold }: { isFolded: boolean; onFold: () => void }) {
    const { t } = useLanguage();
    const may = useMay();
    const { person } = useSession();
    return (
        <nav className="rail" aria-label={t('nav.label')}>
            <div className="rail-top">
                <Switcher isFolded={isFolded} />
                <UnstyledButton className="rail-link" onClick={() => { spotlight.open(); }} style={{ marginTop: 4 }} aria-label={isFolded ? t('palette.open') : undefined}>
                    <IconSearch size={17} stroke={1.7} aria-hidden /><span className="rail-word grow quiet">{t('palette.open')}</span><kbd className="rail-word mono quiet" style={{ fontSize: 11 }} aria-hidden>Ctrl K</kbd>
                </UnstyledButton>
            </div>
            <div className="rail-groups">
                {placesFor(may).map((group) => (
                    <div key={group.word ?? ''} role="group" aria-label={group.word === undefined ? undefined : t(group.word)}>
                        {group.word !== undefined && <div className="rail-heading" aria-hidden>{t(group.word)}</div>}
                        {group.places.map(({ to, word, icon: Mark }) => {
                            const link = <Link key={to} to={to} className="rail-link" activeOptions={{ exact: to === '/' }} aria-label={isFolded ? t(word) : undefined}><Mark size={17} stroke={1.7} aria-hidden /><span className="rail-word">{t(word)}</span></Link>;
                            return isFolded ? <Tooltip key={to} label={t(word)} position="right">{link}</Tooltip> : link;
                        })}
                    </div>
                ))}
            </div>
            <div className="rail-foot">
                <PersonMenu>
                    <UnstyledButton className="rail-link grow" aria-label={isFolded ? t('person.menu', { name: person.name }) : undefined}>
                        <span className="mark" style={{ width: 22, height: 22, borderRadius: 11, fontSize: 11 }} aria-hidden>{initialOf(person.name)}</span><span className="rail-word cut">{person.name}</span>
                    </UnstyledButton>
                </PersonMenu>
                <Tooltip label={t(isFolded ? 'nav.unfold' : 'nav.fold')} position="right">
                    <ActionIcon variant="subtle" color="gray" onClick={onFold} aria-label={t(isFolded ? 'nav.unfold' : 'nav.fold')}>{isFolded ? <IconLayoutSidebarLeftExpand size={17} /> : <IconLayoutSidebarLeftCollapse size={17} />}</ActionIcon>
                </Tooltip>
            </div>
        </nav>
    );
}

/** On a phone: four places and the rest. */
function BottomBar() {
    const { t } = useLanguage();
    const may = useMay();
    const places = placesFor(may).flatMap((group) => group.places);
    return (
        <nav className="bottom" aria-label={t('nav.label')}>
            {places.slice(0, 4).map(({ to, word, icon: Mark }) => <Link key={to} to={to} activeOptions={{ exact: to === '/' }}><Mark size={20} stroke={1.7} aria-hidden /><span className="cut" style={{ maxWidth: '100%' }}>{t(word)}</span></Link>)}
            <UnstyledButton onClick={() => { spotlight.open(); }}><IconDots size={20} stroke={1.7} aria-hidden /><span>{t('nav.more')}</span></UnstyledButton>
        </nav>
    );
}

/** What is there for a person who is in no workspace. */
const withoutWorkspace = ['/security', '/reference'];

export function Shell() {
    const { t } = useLanguage();
    useLive();
    const isNarrow = useMediaQuery('(max-width: 1100px)', undefined, { getInitialValueInEffect: false });
    const [folded, setFolded] = useLocalStorage<boolean | null>({ key: 'harkara-rail', defaultValue: null, getInitialValueInEffect: false });
    const isFolded = folded ?? isNarrow;
    const signOut = useSignOut();
    const { workspace } = useSession();
    const at = useLocation({ select: (location) => location.pathname });
    return (
        <div className="shell" data-folded={isFolded}>
            <a className="skip" href="#main">{t('nav.skip')}</a>
            <Rail isFolded={isFolded} onFold={() => { setFolded(!isFolded); }} />
            <main id="main" className="main" tabIndex={-1} style={{ outline: 'none' }}>
                {workspace === null && !withoutWorkspace.includes(at) ? <NoWorkspace onSignOut={signOut} /> : <Suspense fallback={<div className="page"><RowsSkeleton /></div>}><Outlet /></Suspense>}
            </main>
            <BottomBar />
            <Palette onSignOut={signOut} />
            <Shortcuts />
        </div>
    );
}
