# SPDX-License-Identifier: GPL-3.0-or-later
"""Published trees and the state of a mirror on disk; `orchestrator.content.generations` is the door to it.

    root/lock                               shared by every run, alone for the garbage collection
    root/repositories/NAME/lock             one run at a time on one mirror
    root/repositories/NAME/upstream.json    the verified metadata that is held; keeps its pool files alive
    root/repositories/NAME/<n>/             a tree: hard links into the pool
    root/repositories/NAME/<n>.inventory    what is in it
    root/repositories/NAME/<n>.json         what it was made of; a generation is there when this file is
    root/repositories/NAME/.<n>.new         a tree that is being made
    root/repositories/NAME/.<n>.json        its record, until it is published
    root/published/NAME -> ../repositories/NAME/<n>

A publication is a fixed order of steps, each of which leaves a state that `MirrorStore.recover` knows what to
do with: before the link is switched everything of the new generation is taken away again, after it the record
gets its name. A reader goes by the link and never sees any of it.
"""
