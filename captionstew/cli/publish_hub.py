"""publish and the Hub: what is there now, and the upload with its progress."""

from functools import partial

from captionstew.cli.console import Console
from captionstew.cli.counting import Counting
from captionstew.cli.parser import Arguments
from captionstew.errors import StewError, UsageError
from captionstew.figures import size
from captionstew.publish.hub import Hub, Sent
from captionstew.publish.hub_files import Published
from captionstew.publish.hub_patience import LOGIN
from captionstew.publish.hub_upload import Sending
from captionstew.publish.prepare import Prepared, Standing
from captionstew.publish.removed import joined
from captionstew.publish.version import newest, rows_at


def now(hub: Hub, arguments: Arguments, console: Console) -> tuple[Published, Standing]:
    """What the repository is; in a dry run that cannot reach it, nothing. Without a token nothing begins."""
    try:
        if not arguments.dry_run:
            _signed_in(hub)
        main = hub.published()
        if arguments.private and main.commit and not main.private:
            hint = f"make it private in its settings, {hub.url}/settings, or leave --private out"
            raise UsageError(f"{hub.repository} is there, and public", hint=hint)
        tag = newest(main.tags)
        there = hub.published(main.tags[tag]) if tag and main.tags[tag] != main.commit else main
    except UsageError:
        raise
    except StewError as error:
        if not arguments.dry_run:
            raise
        why = error.cause or error.message
        console.tell(f"the Hub cannot be looked at ({why}); this is planned as a first release")
        return Published(), Standing()
    ahead = not tag or main.tags[tag] != main.commit
    untagged = (main.manifest, main.changelog) if ahead and main.manifest else None
    if not tag:
        return main, Standing(main.files, removed=main.removals, untagged=untagged)
    rows = rows_at(f"hf://datasets/{hub.repository}@{main.tags[tag]}")
    removed = joined(there.removals, main.removals)  # what a stopped upload has taken down stays down
    return main, Standing(main.files, tag, there.manifest, there.changelog, removed, rows, untagged)


def send(made: Prepared, hub: Hub, main: Published, private: bool, console: Console) -> Sent:
    """The release is on the Hub and has its tag; `main` is what it was compared with."""
    if not main.commit:
        hub.create(private)
        main = hub.published()
    release, counting = made.release, Counting(console)
    message = f"{release.tag}: {made.step.why}" if made.step else release.tag
    try:
        return hub.send(
            release.files, made.repository.documents, made.plan.deleted, release.tag, message,
            partial(_count, counting), main,
        )  # fmt: skip
    finally:
        counting.over()


def _count(counting: Counting, sending: Sending) -> None:
    """So many bytes are there."""
    done, total, sent = size(sending.done), size(sending.total), size(sending.sent)
    counting(lambda: f"{sending.step}: {done} of {total}, {sent} over the line")


def _signed_in(hub: Hub) -> None:
    from huggingface_hub import get_token

    if get_token() is None:
        raise StewError("nobody is signed in to the Hub", hint=f"{LOGIN}. --dry-run needs no token")
    hub.check_token()
