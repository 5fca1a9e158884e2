"""How the console looks: fonts of the system, one column of readable width, tables that scroll."""

import gradio as gr

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
HEAD = """
<link rel="icon" href="data:,">
<meta name="description" content="Nightschool's console">
"""
CSS = """
.gradio-container { width: 100% !important; max-width: 1000px !important;
  margin: 0 auto !important; }
.gradio-container h1 { font-size: 1.3rem; margin: 0; }
.ns { color: var(--body-text-color); font-size: var(--text-md); line-height: 1.5; overflow-wrap: anywhere; }
.ns h3 { font-size: 1rem; font-weight: 600; margin: 1rem 0 .3rem; }
.ns .scroll { overflow: auto; max-height: 40rem; }
.ns table { border-collapse: collapse; width: 100%; }
.ns caption { text-align: left; font-weight: 600; padding: .3rem 0; }
.ns th, .ns td { text-align: left; vertical-align: top; padding: .35rem .6rem; min-width: 4rem;
  border: 0 !important; border-bottom: 1px solid var(--border-color-primary) !important;
  overflow-wrap: break-word; }
.ns table, .ns thead, .ns tr { border: 0 !important; }
.ns p { margin: .4rem 0; }
.ns dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .2rem .8rem;
  margin: .2rem 0; }
.ns dt { color: var(--body-text-color-subdued); }
.ns dd { margin: 0; }
.ns mark { background: #ffe08a; color: #1f1300; padding: 0 .15em; }
.ns ol, .ns ul { margin: .3rem 0; padding-left: 1.4rem; list-style: revert; }
.ns .text { white-space: pre-wrap; }
.ns .good { border-left: 4px solid #15803d; padding-left: .6rem; }
.ns .doubt { border-left: 4px solid #b45309; padding-left: .6rem; }
.ns .bad { border-left: 4px solid #b91c1c; padding-left: .6rem; }
.ns .talk { border: 1px solid var(--border-color-primary); border-radius: 6px; padding: .6rem; }
.ns .talk > div { padding: .5rem .7rem; border-radius: 6px; }
.ns .talk .user { background: var(--background-fill-secondary); }
.ns .figures { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; }
.ns figure { margin: 0; max-width: 100%; } .ns figcaption { font-weight: 600; padding: .3rem 0; }
.ns .heat1 { background: #fef3c7; color: #1f1300; border-bottom: 2px dotted #92400e; }
.ns .heat2 { background: #fdba74; color: #1f1300; border-bottom: 2px dashed #7c2d12; }
.ns .heat3 { background: #c2410c; color: #ffffff; border-bottom: 4px double #ffffff; }
.ns .beside { display: grid; grid-template-columns: 1fr 1fr; gap: .8rem; margin-top: .8rem; }
.ns .beside > section { border: 1px solid var(--border-color-primary); border-radius: 6px;
  padding: .2rem .8rem; }
.ns .quiet { color: var(--body-text-color-subdued); }
.ns svg { display: block; max-width: none; }
.ns svg text { fill: var(--body-text-color); font-size: 13px; stroke: none; }
.ns svg .strong { font-weight: 600; }
.ns svg .faint { fill: var(--body-text-color-subdued); font-size: 11px; }
.ns svg path { fill: none; stroke: var(--body-text-color-subdued); stroke-width: 2; }
.ns svg circle, .ns svg rect { fill: var(--background-fill-secondary);
  stroke: var(--body-text-color-subdued); stroke-width: 2; }
.ns svg .done { stroke: #15803d; }
.ns svg .now { stroke: #c2410c; stroke-width: 3; }
.dark .ns svg .done { stroke: #4ade80; }
.dark .ns svg .now { stroke: #fb923c; }
.ns svg .taken { stroke: #15803d; stroke-width: 3; }
.dark .ns svg .taken { stroke: #4ade80; }
.ns svg .way:not(.taken) { opacity: .45; }
.ns svg .bar { stroke: none; }
.ns svg .before { fill: #78716c; }
.ns svg .after { fill: #c2410c; }
.ns svg .last { fill: var(--body-text-color-subdued); }
.ns.files { display: flex; flex-wrap: wrap; gap: .6rem 1.6rem; }
.ns.files label { display: flex; flex-direction: column; gap: .2rem; max-width: 100%; }
.ns.files input { max-width: 100%; padding: .3rem; border: 1px solid var(--border-color-primary);
  border-radius: 6px; font-size: var(--text-sm); background: transparent; color: inherit; }
.ns.files p { flex-basis: 100%; margin: 0; }
.ns details { margin: .2rem 0; }
.ns summary { cursor: pointer; }
.ns pre { overflow: auto; max-height: 24rem; padding: .4rem; font-size: var(--text-sm);
  background: var(--background-fill-secondary); white-space: pre-wrap; }
.ns svg .thin { stroke: var(--border-color-primary); stroke-width: 1; }
.ns svg .limit { stroke-dasharray: 4 3; stroke-width: 1.5; }
.ns svg .point { fill: var(--body-text-color-subdued); }
.ns svg .good { stroke: #15803d; } .ns svg .point.good { fill: #15803d; }
.ns svg .bad { stroke: #b91c1c; } .ns svg .point.bad { fill: #b91c1c; }
.dark .ns svg .good { stroke: #4ade80; } .dark .ns svg .point.good { fill: #4ade80; }
.dark .ns svg .bad { stroke: #f87171; } .dark .ns svg .point.bad { fill: #f87171; }
@media (max-width: 480px) {
  .gradio-container { padding: .4rem !important; }
  .ns .beside { grid-template-columns: 1fr; }
  .ns dl { grid-template-columns: 1fr; } .ns dt { margin-top: .3rem; }
}
"""


def theme() -> gr.themes.Base:
    """Gradio's default theme with fonts that are on the user's machine, and quiet words that can be read."""
    quiet = {"body_text_color_subdued": "*neutral_600", "body_text_color_subdued_dark": "*neutral_300"}
    return gr.themes.Default(font=SANS, font_mono=MONO).set(
        **quiet,
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        button_primary_background_fill="#c2410c",
        button_primary_background_fill_dark="#c2410c",
        button_primary_background_fill_hover="#9a3412",
        button_primary_background_fill_hover_dark="#9a3412",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
    )
