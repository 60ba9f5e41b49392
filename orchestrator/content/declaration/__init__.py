# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog as a file says it should be: content.yaml read, compared with what is there, and brought about."""
