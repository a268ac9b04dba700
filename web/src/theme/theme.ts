import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

const teal: MantineColorsTuple = ['#e8f6f3', '#cceae4', '#a1d8cd', '#6fc4b4', '#45ae9c', '#279885', '#158272', '#0b6b5d', '#085549', '#053f37'];
const saffron: MantineColorsTuple = ['#fdf3e8', '#fae3ca', '#f5c795', '#f0aa60', '#ea9036', '#e27f1c', '#d9730d', '#b55d07', '#8f4a06', '#693604'];
const slate: MantineColorsTuple = ['#f7f9fa', '#f0f3f5', '#e3e8eb', '#cfd7dc', '#aeb9c0', '#7f8c95', '#5a6770', '#414d55', '#2b353b', '#172025'];
const night: MantineColorsTuple = ['#dde3e7', '#b9c3c9', '#94a1aa', '#6b7882', '#37434b', '#273138', '#1c242a', '#151b20', '#0f1417', '#0a0e10'];

export const theme = createTheme({
    colors: { teal, saffron, gray: slate, dark: night },
    primaryColor: 'teal',
    primaryShade: { light: 7, dark: 7 },
    fontFamily: "'Inter Variable', 'Noto Sans Devanagari Variable', system-ui, sans-serif",
    fontFamilyMonospace: "ui-monospace, 'SFMono-Regular', 'Cascadia Mono', 'DejaVu Sans Mono', Menlo, monospace",
    fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
    lineHeights: { xs: '1.35', sm: '1.4', md: '1.43', lg: '1.45', xl: '1.4' },
    radius: { xs: '4px', sm: '6px', md: '8px', lg: '12px', xl: '16px' },
    defaultRadius: 'md',
    headings: {
        fontWeight: '620',
        sizes: {
            h1: { fontSize: '22px', lineHeight: '28px' }, h2: { fontSize: '16px', lineHeight: '24px' },
            h3: { fontSize: '14px', lineHeight: '20px' },
        },
    },
    cursorType: 'pointer',
    focusRing: 'auto',
    respectReducedMotion: true,
    components: {
        Button: { defaultProps: { size: 'sm' } },
        TextInput: { defaultProps: { size: 'sm' } },
        Select: { defaultProps: { size: 'sm', checkIconPosition: 'right' } },
        Tooltip: { defaultProps: { withArrow: true, openDelay: 300, events: { hover: true, focus: true, touch: false } } },
        /* A place of its own for the first focus would be no item of the menu. */
        Menu: { defaultProps: { shadow: 'md', withinPortal: true, withInitialFocusPlaceholder: false } },
        Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.45 } } },
    },
});

/** The tokens of the house, in both themes; app.css uses nothing else. */
export const tokens: CSSVariablesResolver = () => ({
    variables: { '--rail-width': '232px', '--sheet-width': '520px' },
    light: {
        '--mantine-color-text': '#172025', '--mantine-color-dimmed': '#55626b', '--mantine-color-placeholder': '#6b7882',
        '--mantine-color-anchor': '#0b6b5d', '--mantine-color-error': '#b42318', '--mantine-color-default-border': '#cfd7dc',
        '--hk-page': '#ffffff', '--hk-rail': '#f4f7f8', '--hk-line': '#e1e7ea', '--hk-hover': '#f2f5f6', '--hk-chosen': '#e4f2ef',
        '--hk-accent': '#0b6b5d', '--hk-saffron': '#a85506', '--hk-card': '#ffffff', '--hk-sunk': '#f7f9fa',
        '--hk-shadow': '0 1px 2px rgb(15 20 23 / 6%), 0 8px 24px rgb(15 20 23 / 10%)',
        '--st-slate': '#4a5760', '--st-amber': '#8a5a00', '--st-blue': '#1d5fbf', '--st-indigo': '#4a46b8', '--st-green': '#13713b', '--st-teal': '#0b6b5d',
        '--st-violet': '#7b35a8', '--st-red': '#b42318', '--st-orange': '#a64b00', '--st-grey': '#5f6a72',
    },
    dark: {
        '--mantine-color-text': '#e6ebee', '--mantine-color-dimmed': '#9aa7b0', '--mantine-color-placeholder': '#87949d',
        '--mantine-color-anchor': '#4fc0ad', '--mantine-color-error': '#ff8a7d', '--mantine-color-body': '#12181c', '--mantine-color-default-border': '#37434b',
        '--hk-page': '#12181c', '--hk-rail': '#0d1215', '--hk-line': '#252f36', '--hk-hover': '#1a2227', '--hk-chosen': '#143630',
        '--hk-accent': '#4fc0ad', '--hk-saffron': '#f0aa60', '--hk-card': '#161d22', '--hk-sunk': '#0d1215',
        '--hk-shadow': '0 1px 2px rgb(0 0 0 / 40%), 0 8px 24px rgb(0 0 0 / 45%)',
        '--st-slate': '#b3bfc7', '--st-amber': '#f0b849', '--st-blue': '#7fb2ff', '--st-indigo': '#a9a6ff', '--st-green': '#5fd08f', '--st-teal': '#4fc0ad',
        '--st-violet': '#d3a0f5', '--st-red': '#ff8a7d', '--st-orange': '#ffa25f', '--st-grey': '#a2adb5',
    },
});
