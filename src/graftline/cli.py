"""The command line: parse, call one function, print."""

import sys
from pathlib import Path

import click

from graftline import __version__
from graftline.cli_assays import COMMANDS as ASSAY_COMMANDS
from graftline.cli_cells import COMMANDS as CELL_COMMANDS
from graftline.problems import exit_code, format_problems, sorted_problems
from graftline.terminal import PATH, chosen_formats, progress, reports_input_errors

_ABOUT = """\
Trials of CAR-T followed by allogeneic HSCT: records in, paper out.

\b
Start:   graftline init my-trial         an explained empty folder
Check:   graftline check my-trial        everything that is wrong or missing, at once
Report:  graftline report my-trial       tables, figures and methods in one HTML file
Ask:     graftline explain my-trial P07 neutrophil_engraftment
"""


@click.group(
    help=_ABOUT,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
)
@click.version_option(__version__, prog_name="graftline")
def main() -> None:
    """Hold the commands."""


@main.command()
@click.argument("folder", type=PATH)
@click.option(
    "--protocol",
    default="all-in-one-2024",
    show_default=True,
    metavar="NAME",
    help="Strategy the trial follows; see: graftline protocols.",
)
@reports_input_errors
def init(folder: Path, protocol: str) -> None:
    """Write an explained empty trial folder."""
    from graftline.trial.template import write_template

    written = write_template(folder, protocol=protocol)
    click.echo(
        f"{len(written)} files in {folder}. Start with README.md, patients.csv, infusions.csv "
        f"and followup.csv; then: graftline check {folder}"
    )


@main.command()
@click.argument("trial", type=PATH)
@click.option("--privacy", is_flag=True, help="Look for names, full dates and record numbers.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(trial: Path, privacy: bool, as_json: bool) -> None:
    """Say everything that is wrong with a trial folder.

    Exit status: 0 nothing or warnings only, 1 findings that stop results, 2 unreadable.
    """
    from graftline.trial.identity import check_privacy
    from graftline.trial.read import inspect_trial

    with progress("Reading the trial") as step:
        if privacy:
            problems = check_privacy(trial)
        else:
            read, problems = inspect_trial(trial)
            if (trial / "assays").exists():
                from graftline.report.assays import inspect_assays

                found = inspect_assays(trial, read, progress=step)
                problems = sorted_problems([*problems, *found])
    if as_json:
        import json
        from dataclasses import asdict

        click.echo(json.dumps([asdict(p) for p in problems], indent=2, ensure_ascii=False))
    else:
        click.echo(format_problems(problems))
    sys.exit(exit_code(problems))


@main.command(short_help="Write the report of a trial: one HTML file.")
@click.argument("trial", type=PATH)
@click.option("--out", type=PATH, help="Folder for the results  [default: TRIAL-report beside it]")
@click.option(
    "--figures", default="", metavar="pdf,png,svg", help="Write each figure in these formats too."
)
@click.option(
    "--tables", default="", metavar="docx,latex,csv", help="Write each table in these formats too."
)
@click.option(
    "--every-patient",
    is_flag=True,
    help="Write the timelines and tables of every patient as such files; else of up to 60.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Write report.json: every number in full precision."
)
@click.option(
    "--monitoring", is_flag=True, help="Add the data-monitoring pack (safety, stopping rule)."
)
@reports_input_errors
def report(
    trial: Path,
    out: Path | None,
    figures: str,
    tables: str,
    every_patient: bool,
    as_json: bool,
    monitoring: bool,
) -> None:
    """Write the report of a trial: one HTML file that opens from disk."""
    formats = chosen_formats(figures, ("pdf", "png", "svg"), "--figures")
    kinds = chosen_formats(tables, ("docx", "latex", "csv"), "--tables")

    from graftline.report.write import write_report

    out = out or trial.resolve().parent / f"{trial.resolve().name}-report"
    with progress("Reading the trial") as step:
        written = write_report(
            trial,
            out,
            figures=formats,
            tables=kinds,
            every_patient=every_patient,
            machine=as_json,
            monitoring=monitoring,
            progress=step,
        )
    for line in written.summary:
        click.echo(line)
    click.echo(f"{written.page}")


@main.command(short_help="Show records, rule, source and answer of one result.")
@click.argument("trial", type=PATH)
@click.argument("patient")
@click.argument("result")
@reports_input_errors
def explain(trial: Path, patient: str, result: str) -> None:
    """Show the records, the rule, the source and the answer of one RESULT of one PATIENT."""
    from graftline.assess.assessment import assess_trial
    from graftline.explain import explain as explain_result
    from graftline.trial.read import read_trial

    with progress("Reading the trial"):
        read = read_trial(trial)
        explanation = explain_result(read, assess_trial(read), patient, result)
    click.echo(str(explanation))


@main.command(short_help="List the shipped strategies, or print one with sources.")
@click.argument("name", required=False)
@reports_input_errors
def protocols(name: str | None) -> None:
    """List the strategies that ship, or print one with the source of every value."""
    from graftline.protocol import shipped_protocol, shipped_protocol_text, shipped_protocols

    if name is not None:
        click.echo(shipped_protocol_text(name).rstrip())
        return
    for shipped in shipped_protocols():
        click.echo(f"{shipped:32} {shipped_protocol(shipped).title}")


_seed = click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="The same seed gives the same patients.",
)


@main.command(short_help="Treat virtual patients and write a trial folder.")
@click.argument("protocol")
@click.option(
    "-n",
    "patients",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Number of virtual patients.",
)
@_seed
@click.option("--out", type=PATH, required=True, help="Folder to write.")
@click.option(
    "--like", type=PATH, metavar="TRIAL", help="Imitate the patients of this trial, row by row."
)
@click.option(
    "--endpoints", is_flag=True, help="Write time-to-event endpoints only, in parts; resumable."
)
@click.option("--workers", type=click.IntRange(1), default=1, help="Processes, with --endpoints.")
@click.option("--cluster", metavar="ADDRESS", help="Dask scheduler, with --endpoints.")
@reports_input_errors
def simulate(
    protocol: str,
    patients: int,
    seed: int,
    out: Path,
    like: Path | None,
    endpoints: bool,
    workers: int,
    cluster: str | None,
) -> None:
    """Treat virtual patients by a PROTOCOL and write a trial folder (or endpoints only).

    PROTOCOL is the name of a strategy that ships, a protocol.toml of your own, or a trial folder.
    """
    if endpoints:
        from graftline.simulate.campaign import plan_campaign, run_campaign, say_progress

        with progress("Simulating") as step:
            done = run_campaign(
                plan_campaign(protocol, patients, seed),
                out,
                workers=workers,
                cluster=cluster,
                progress=lambda p: step(say_progress(p)),
            )
        click.echo(f"{patients:,} virtual patients in {len(done.parts)} parts in {out}.")
        failures, assumed = done.failures, done.assumed
    else:
        from graftline.simulate.trial import simulate_folder

        with progress("Simulating"):
            one = simulate_folder(protocol, patients, seed, out, like=like)
        failures, assumed = one.failures, one.assumed
        click.echo(f"{patients:,} virtual patients in {out}. Next: graftline report {out}")
    for line in assumed:
        click.echo(f"Assumed: {line}")
    for line in failures:
        click.echo(f"Left out: {line}", err=True)


@main.command(short_help="Treat the same virtual patients by several plans.")
@click.argument("plans", nargs=-1, required=True, metavar="PLAN PLAN...")
@click.option(
    "-n",
    "patients",
    type=click.IntRange(2),
    default=1000,
    show_default=True,
    help="Number of virtual patients.",
)
@_seed
@click.option("--out", type=PATH, help="Write a page with curves and differences there too.")
@click.option(
    "--figures", default="", metavar="pdf,png,svg", help="With --out: each figure as a file too."
)
@reports_input_errors
def compare(
    plans: tuple[str, ...], patients: int, seed: int, out: Path | None, figures: str
) -> None:
    """Treat the same virtual patients by several plans: paired differences from the first.

    A PLAN is a protocol, or a protocol with changes: all-in-one-2024+hsct-day=30. Changes:
    hsct-day=DAY, hsct=never, car-t-dose=FACTOR, cd34-dose=FACTOR, no-etoposide, prophylaxis,
    cd7-negative=FACTOR.
    """
    formats = chosen_formats(figures, ("pdf", "png", "svg"), "--figures")

    from graftline.simulate import compare as comparing
    from graftline.tables.plan_comparison import plan_comparison_text, plan_differences

    with progress("Simulating"):
        chosen = {text: comparing.parse_plan(text) for text in plans}
        comparison = comparing.compare_plans(chosen, patients, seed)
    rows = plan_differences(comparison.outcomes)
    click.echo(
        plan_comparison_text(
            rows, patients=patients, caveat=comparing.CAVEAT, assumed=comparison.assumed
        )
    )
    if out is None:
        return
    from graftline.report.plan_comparison import comparison_report
    from graftline.report.write import write_files

    page = comparison_report(
        rows,
        comparison.endpoints,
        patients=patients,
        seed=seed,
        caveat=comparing.CAVEAT,
        assumed=[f"{n}: {line}" for n, lines in comparison.assumed.items() for line in lines],
        failures=comparison.failures,
    )
    with progress("Writing the page"):
        written = write_files(page, out, figures=formats, tables=("csv",))
    click.echo(f"\n{written[0]}")


for _command in (*ASSAY_COMMANDS, *CELL_COMMANDS):
    main.add_command(_command)
