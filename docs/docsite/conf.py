# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx builds the documentation site; ``make docs`` runs it.

Nothing is asked of the network: what antsibull-docs refers to in Ansible's own documentation is
made a link by its name, and everything else that is referred to has to be in this site.
"""

from __future__ import annotations

import typing as t

from docutils import nodes

if t.TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "mailedge.lockdown"
author = "mailedge.lockdown contributors"
project_copyright = "mailedge.lockdown contributors"
extensions = ["sphinx_antsibull_ext"]
nitpicky = True
html_theme = "furo"
html_title = "mailedge.lockdown"
html_use_smartypants = False
html_copy_source = False
html_show_sphinx = False
smartquotes = False

_ANSIBLE = "https://docs.ansible.com/ansible/latest"
_BUILTIN = "ansible_collections.ansible.builtin."
# Labels of Ansible's documentation that every page of a module refers to.
_PAGES = {
    "action_plugins": "plugins/action.html#action-plugins",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html#common-return-values",
    "module_defaults_groups": "user_guide/playbooks_module_defaults.html#module-defaults-groups",
}


def _of_ansible(
    _app: Sphinx, _env: BuildEnvironment, node: pending_xref, content: Element
) -> Element | None:
    """A link into Ansible's documentation, or None for what is not there."""
    target = node["reftarget"]
    if target in _PAGES:
        page = _PAGES[target]
    elif target.startswith(_BUILTIN):
        page = f"collections/ansible/builtin/{target.removeprefix(_BUILTIN)}.html"
    else:
        return None
    link = nodes.reference("", "", internal=False, refuri=f"{_ANSIBLE}/{page}")
    link += content
    return link


def setup(app: Sphinx) -> None:
    """Ask for what no page of the site has."""
    app.connect("missing-reference", _of_ansible)
